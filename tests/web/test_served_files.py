"""Files that are served: whole, in ranges, and never in part of another file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from maxft_site.web.serving.files import serve_file
from tests.downloads import whole

CONTENT = bytes(range(256)) * 3
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("served") / "file"
    file.write_bytes(CONTENT)
    return file


def asked(path: Path, **headers: str) -> HttpResponseBase:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().get("/", headers=named)
    return serve_file(request, path, name="ä <b>.csv", sha256=SHA256)


def body(response: HttpResponseBase) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    return whole(response)


@given(st.integers(0, 900), st.integers(0, 900))
def test_ranges_are_those_that_are_asked_for(path: Path, first: int, last: int) -> None:
    answer = asked(path, Range=f"bytes={first}-{last}")
    if last < first:  # no range at all: the header is passed over
        assert (answer.status_code, body(answer)) == (200, CONTENT)
    elif first >= len(CONTENT):
        assert answer.status_code == 416
        assert answer["Content-Range"] == f"bytes */{len(CONTENT)}"
    else:
        assert answer.status_code == 206
        assert body(answer) == CONTENT[first : last + 1]
        assert int(answer["Content-Length"]) == len(CONTENT[first : last + 1])
        assert answer["Content-Range"].startswith(f"bytes {first}-")
        assert body(asked(path, Range=f"bytes={first}-")) == CONTENT[first:]


@given(st.integers(1, 900))
def test_the_end_can_be_asked_for(path: Path, count: int) -> None:
    assert body(asked(path, Range=f"bytes=-{count}")) == CONTENT[-count:]


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_what_is_no_range_gives_the_file(path: Path, header: str) -> None:
    answer = asked(path, Range=f"bytes=x{header}")
    assert (answer.status_code, body(answer)) == (200, CONTENT)


def test_a_file_that_has_changed_comes_whole(path: Path) -> None:
    found = asked(path)
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert found["Repr-Digest"] == f"sha-256=:{digest}:"
    assert found["Content-Disposition"].startswith("attachment")
    assert asked(path, Range="bytes=9-", If_Range=found["ETag"]).status_code == 206
    assert asked(path, Range="bytes=9-", If_Range='"another"').status_code == 200
