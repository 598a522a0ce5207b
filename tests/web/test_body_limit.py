"""Bodies that are too large end at the cap, before they fill the disk."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import async_to_sync

from maxft_site.web.limits.body_size import BodyLimit

CHUNK = b"x" * 1000


@pytest.fixture(autouse=True)
def small_limits(settings):
    settings.MAX_BODY_BYTES, settings.MAX_UPLOAD_BYTES = 2000, 5000


def send_body(path, chunks, headers=()):
    """(status, bytes that the server asked for) of a request whose body comes in chunks."""
    taken, sent = [], []

    async def receive():
        if len(taken) == chunks:
            return {"type": "http.request", "body": b"", "more_body": False}
        taken.append(CHUNK)
        return {"type": "http.request", "body": CHUNK, "more_body": True}

    async def send(message):
        sent.append(message)

    async def pages(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            if not message["more_body"]:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                return

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    raw = [(name.encode(), str(value).encode()) for name, value in headers]
    async_to_sync(BodyLimit(pages))({**scope, "headers": raw}, receive, send)
    if sent[0]["status"] == 413:
        assert json.loads(sent[1]["body"])["error"]["code"] == "too_large"
    return sent[0]["status"], len(taken) * len(CHUNK)


def test_small_bodies_pass():
    assert send_body("/settings/", 2, [("content-length", 2000)]) == (200, 2000)


def test_a_length_over_the_cap_is_refused_unread():
    assert send_body("/nope", 9, [("content-length", 9000)]) == (413, 0)


@pytest.mark.parametrize(
    "headers", [[], [("transfer-encoding", "chunked")], [("content-length", "12")]]
)
def test_what_is_sent_counts_not_what_is_claimed(headers):
    assert send_body("/nope", 9, headers) == (413, 3000)


def test_files_are_taken_from_members_only(api_token, db):
    key = ("authorization", f"Bearer {api_token}")
    chunked = ("transfer-encoding", "chunked")
    assert send_body("/api/v1/datasets", 5, [chunked, key]) == (200, 5000)
    assert send_body("/api/v1/datasets", 9, [chunked, key]) == (413, 6000)
    assert send_body("/api/v1/datasets", 5, [chunked]) == (413, 3000)
    assert send_body("/api/v1/datasets", 5, [chunked, ("authorization", "Bearer x")]) == (413, 3000)
    assert send_body("/api/v1/runs", 5, [chunked, key]) == (413, 3000)


def test_a_session_may_send_files_too(alice_client):
    cookie = ("cookie", f"sessionid={alice_client.cookies['sessionid'].value}")
    assert send_body("/datasets/uploads/", 5, [("content-length", 5000), cookie]) == (200, 5000)
