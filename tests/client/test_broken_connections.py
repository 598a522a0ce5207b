"""Uploads and downloads over connections that break: nothing is lost, nothing sent twice over."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets_app.models import Dataset, Upload
from maxft_client.site import uploading
from tests.client.conftest import Maxft
from tests.conftest import FakeQueue

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # The tests' server is a WSGI server.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume"),
]
LINES = b"".join(b'{"prompt": "q%d", "completion": "a%d"}\n' % (n, n) for n in range(9_000))


class Breaking:
    """A proxy before a site. Of each connection it passes on as many bytes, both ways, as `budgets`
    says next, then it is cut; without a budget it stays whole."""

    def __init__(self, host: str, port: int) -> None:
        self.target, self.budgets, self.passed = (host, port), list[int](), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            budget = [self.budgets.pop(0) if self.budgets else 2**60]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(*pair, budget), daemon=True).start()

    def carry(self, source: socket.socket, to: socket.socket, budget: list[int]) -> None:
        try:
            while data := source.recv(4096):
                to.sendall(data[: max(0, budget[0])])
                self.passed += len(data)
                budget[0] -= len(data)
                if budget[0] <= 0:
                    break
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@pytest.fixture
def proxy(
    own_site: None, live_server: Any, api_token: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Breaking]:
    found = Breaking(live_server.thread.host, live_server.thread.port)
    monkeypatch.setenv("MAXFT_URL", found.url)
    monkeypatch.setenv("MAXFT_TOKEN", api_token)
    yield found
    found.listener.close()


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "rows.jsonl"
    path.write_bytes(LINES)
    return path


def test_a_file_there_and_back(
    maxft: Maxft, proxy: Breaking, file: Path, home: Path, waited: list[float],
    monkeypatch: pytest.MonkeyPatch, queue: FakeQueue,
) -> None:  # fmt: skip
    monkeypatch.setattr(uploading, "PIECE_BYTES", 2**16)
    chance = random.Random(7)
    proxy.budgets = [chance.randrange(500, 150_000) for _ in range(8)]
    pushed = maxft("datasets", "push", str(file), "--name", "Rows", "--no-wait", "--json")
    assert pushed.code == 0, pushed.err
    assert waited
    [dataset] = Dataset.objects.filter(name="Rows")
    assert dataset.newest.source_path.read_bytes() == LINES
    assert not Upload.objects.exists()
    queue.work()
    checked = maxft("datasets", "check", "Rows", "--json").json
    assert (checked["status"], checked["rows"]) == ("ready", 9_000)

    proxy.budgets = [chance.randrange(5_000, 200_000) for _ in range(4)]
    pulled = maxft("datasets", "pull", "Rows", "--output", "back.jsonl", "--json")
    assert pulled.code == 0, pulled.err
    assert pulled.json["sha256"] == dataset.newest.sha256
    assert (home / "back.jsonl").read_bytes() == LINES
    assert sorted(path.name for path in home.iterdir()) == ["back.jsonl", "rows.jsonl"]
    assert maxft("datasets", "pull", "Rows", "--output", "back.jsonl").code == 7
    rows = maxft("datasets", "pull", "Rows", "--rows", "--output", "again.jsonl")
    assert rows.code == 0, rows.err
    assert len((home / "again.jsonl").read_bytes().splitlines()) == 9_000


def test_a_later_command_goes_on_where_the_one_before_gave_up(
    maxft: Maxft, proxy: Breaking, file: Path, home: Path, waited: list[float],
    monkeypatch: pytest.MonkeyPatch, queue: FakeQueue,
) -> None:  # fmt: skip
    monkeypatch.setattr(uploading, "PIECE_BYTES", 2**16)
    push = ("datasets", "push", str(file), "--no-wait")
    proxy.budgets = [200_000, *[100] * 40]
    assert maxft(*push).code == 5
    [upload] = Upload.objects.all()
    have = upload.received_bytes
    assert 2**16 <= have < len(LINES)
    proxy.budgets, proxy.passed = [], 0
    assert maxft(*push).code == 0
    assert proxy.passed < len(LINES) - have + 20_000
    [dataset] = Dataset.objects.filter(name="rows")
    assert dataset.newest.source_path.read_bytes() == LINES

    pull = ("datasets", "pull", "rows", "--output", "back.jsonl")
    proxy.budgets = [150_000, *[100] * 40]
    assert maxft(*pull).code == 5
    assert not (home / "back.jsonl").exists()
    proxy.budgets, proxy.passed = [], 0
    assert maxft(*pull).code == 0
    assert proxy.passed < len(LINES) - 50_000
    assert (home / "back.jsonl").read_bytes() == LINES


def test_a_file_that_is_damaged_on_its_way_does_not_get_its_name(
    maxft: Maxft, proxy: Breaking, file: Path, home: Path, queue: FakeQueue
) -> None:
    assert maxft("datasets", "push", str(file), "--no-wait").code == 0
    path = Dataset.objects.get(name="rows").newest.source_path
    path.chmod(0o600)
    path.write_bytes(LINES.replace(b"q17", b"Q17"))
    done = maxft("datasets", "pull", "rows", "--output", "back.jsonl")
    assert done.code == 7
    assert "damaged on its way" in done.err
    assert [path.name for path in home.iterdir()] == ["rows.jsonl"]
