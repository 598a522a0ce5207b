"""The upload protocol: pieces, resuming, limits, owners, sweeping."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.errors import NoSpaceError, UploadBusyError
from datasets_app.models import Dataset, DatasetVersion, Upload
from datasets_app.services import append_to_upload, start_upload, sweep_uploads
from datasets_app.services.uploads import locked
from tests.conftest import FakeQueue

CONTENT = b'{"prompt": "q", "completion": "a"}\n' * 30
UPLOADS = "/datasets/uploads/"


def begin(client: Client, size: int = len(CONTENT), name: str = "rows.jsonl") -> Any:
    encoded = base64.b64encode(name.encode()).decode()
    return client.post(
        UPLOADS,
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(size),
            "Upload-Metadata": f"filename {encoded}",
        },
    )


def send(client: Client, url: str, offset: int, piece: bytes, **headers: str) -> Any:
    return client.patch(
        url,
        data=piece,
        content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)} | headers,
    )


@pytest.fixture
def url(alice_client: Client) -> str:
    return str(begin(alice_client)["Location"])


def test_a_damaged_piece_is_not_kept(alice_client: Client, url: str) -> None:
    def checksum(piece: bytes) -> dict[str, str]:
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        return {"Upload-Checksum": f"sha256 {digest}"}

    assert send(alice_client, url, 0, CONTENT[:100], **checksum(CONTENT[:100])).status_code == 204
    damaged = send(alice_client, url, 100, CONTENT[1:100], **checksum(CONTENT[100:199]))
    assert (damaged.status_code, damaged.json()["error"]["code"]) == (460, "damaged")
    assert alice_client.head(url)["Upload-Offset"] == "100"
    for odd in ("md5 AAAA", "sha256 AAAA", "sha256 ä", "sha256"):
        refused = send(alice_client, url, 100, CONTENT[100:], **{"Upload-Checksum": odd})
        assert refused.status_code == 400
    assert alice_client.head(url)["Upload-Offset"] == "100"


def test_nobody_uploads_more_than_their_share(
    alice_client: Client, url: str, queue: FakeQueue, settings: Any, bob_client: Client
) -> None:
    settings.DATA_QUOTA_BYTES = len(CONTENT) + 100
    refused = begin(alice_client, 101)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "quota")
    send(alice_client, url, 0, CONTENT)
    alice_client.post(f"{url}import/")
    assert begin(alice_client, 101).status_code == 413
    pasted = alice_client.post("/datasets/new/", {"text": "x" * 101})
    assert pasted.status_code == 413
    assert begin(bob_client, 101).status_code == 201
    Dataset.objects.get().delete()
    assert begin(alice_client, 101).status_code == 201


def test_pieces_become_a_checked_dataset(alice_client: Client, url: str, queue: FakeQueue) -> None:
    assert send(alice_client, url, 0, CONTENT[:100])["Upload-Offset"] == "100"
    assert alice_client.head(url)["Upload-Offset"] == "100"
    assert send(alice_client, url, 100, CONTENT[100:]).status_code == 204

    made = alice_client.post(f"{url}import/", {"name": "My rows"})
    assert made.status_code == 201
    assert alice_client.post(f"{url}import/").json() == made.json()  # a lost answer, asked again

    queue.work()
    version = DatasetVersion.objects.get()
    assert (version.dataset.name, version.status, version.rows) == ("My rows", "ready", 30)
    assert version.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not Upload.objects.exists()


def test_a_wrong_offset_is_told_the_right_one(alice_client: Client, url: str) -> None:
    send(alice_client, url, 0, CONTENT[:100])
    lost_answer = send(alice_client, url, 0, CONTENT[:100])
    assert lost_answer.status_code == 409
    assert lost_answer["Upload-Offset"] == "100"
    assert "100 bytes have arrived" in lost_answer.json()["error"]["message"]


def test_an_incomplete_upload_is_not_imported(alice_client: Client, url: str) -> None:
    send(alice_client, url, 0, CONTENT[:100])
    assert alice_client.post(f"{url}import/").status_code == 409
    assert not Dataset.objects.exists()


def test_too_large_is_refused_before_and_while_it_comes(
    alice_client: Client, url: str, settings: Any
) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    refused = begin(alice_client, size=1001)
    assert refused.status_code == 413
    assert "1.0 kB" in refused.json()["error"]["message"]
    assert send(alice_client, url, 0, CONTENT + b"more").status_code == 413
    assert alice_client.head(url)["Upload-Offset"] == "0"


@pytest.mark.parametrize("size", ["", "-1", "1e3", "١٢", "9" * 19])
def test_an_odd_size_is_refused(alice_client: Client, size: str) -> None:
    assert alice_client.post(UPLOADS, headers={"Upload-Length": size}).status_code == 400


def test_a_full_disk_is_said_before_the_upload(
    alice_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    refused = begin(alice_client)
    assert refused.status_code == 507
    assert refused.json()["error"]["hint"]
    assert not Upload.objects.exists()


def test_a_disk_that_fills_up_keeps_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = start_upload(owner=alice, file_name="a.csv", size_bytes=100)

    def fail(_file: Any, _piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datasets_app.services.uploads.write_all", fail)
    with pytest.raises(NoSpaceError):
        append_to_upload(upload=upload, offset=0, body=Body(b"x"))
    assert not upload.path.exists()
    assert not Upload.objects.exists()


class Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int, /) -> bytes:
        piece, self.content = self.content[:size], self.content[size:]
        return piece


def test_two_requests_never_write_at_once(alice: User) -> None:
    upload = start_upload(owner=alice, file_name="a.csv", size_bytes=100)
    with locked(upload), pytest.raises(UploadBusyError):
        append_to_upload(upload=upload, offset=0, body=Body(b"x"))


Call = Callable[[Client, str], Any]


@pytest.mark.parametrize(
    "call",
    [
        lambda client, url: client.head(url),
        lambda client, url: send(client, url, 0, b"x"),
        lambda client, url: client.delete(url),
        lambda client, url: client.post(f"{url}import/"),
        lambda client, url: client.post(f"{url}discard/"),
    ],
)
def test_another_users_upload_is_not_there(bob_client: Client, url: str, call: Call) -> None:
    assert call(bob_client, url).status_code == 404
    assert Upload.objects.get().path.stat().st_size == 0


def test_discarding_frees_the_space(alice_client: Client, url: str) -> None:
    send(alice_client, url, 0, CONTENT[:100])
    path = Upload.objects.get().path
    assert alice_client.delete(url).status_code == 204
    assert not path.exists()
    assert alice_client.head(url).status_code == 404


def test_writing_needs_the_csrf_token(alice: User, url: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    for response in (begin(client), send(client, url, 0, b"x"), client.delete(url)):
        assert response.status_code == 403
    assert Upload.objects.get().received_bytes == 0


def test_another_version_of_the_protocol_is_refused(alice_client: Client, url: str) -> None:
    response = alice_client.head(url, headers={"Tus-Resumable": "0.2.2"})
    assert (response.status_code, response["Tus-Version"]) == (412, "1.0.0")


def test_abandoned_uploads_and_strays_are_swept(alice: User, data_dir: Path) -> None:
    kept = start_upload(owner=alice, file_name="new.csv", size_bytes=10)
    old = start_upload(owner=alice, file_name="old.csv", size_bytes=10)
    stray_file = data_dir / "uploads" / "stray"
    stray_folder = data_dir / "datasets" / str(UUID(int=7))
    stray_file.write_text("x")
    stray_folder.mkdir(parents=True)
    long_ago = time.time() - 2 * 86400
    for path in (old.path, stray_file, stray_folder):
        os.utime(path, (long_ago, long_ago))
    assert sweep_uploads() == 3
    assert list(Upload.objects.all()) == [kept]
    assert not any(path.exists() for path in (old.path, stray_file, stray_folder))
