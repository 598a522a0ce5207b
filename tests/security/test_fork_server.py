"""The fork server's socket: who may ask, and for what; Redis beside it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django_rq
import psutil
import pytest
import redis

from jobs.site import redis_server
from jobs.training import worker
from jobs.training.engine_process import EngineProcess
from jobs.training.fork_server import FORK_SERVER
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.forked_child import ForkedChild, request_fork
from maxaillm.dev.finetune.run.events import RunFolder
from tests.real_data import ROOT
from tests.redis_server import running_redis

PATIENCE_SECONDS = 60
SERVER = """
import os, socket, sys, types
from pathlib import Path
from maxaillm.dev.finetune.processes import engine_server, fork_server, forked_child
fork_server.REQUEST_SECONDS = 0.5
def work(argv):
    {work}
sys.modules["maxaillm.dev.finetune.__main__"] = types.SimpleNamespace(main=work)
listener = socket.socket(fileno=int(sys.argv[1]))
engine_server.main(engine_server.engine_source(listener, Path.cwd()), imports=())
"""
"""The server without the libraries; `work` stands in for what a trainer was made to do."""
WRITES_ENVIRONMENT = (
    "import json, tempfile; "
    "Path('found').write_text(json.dumps([os.getcwd(), tempfile.gettempdir(), *os.environ]))"
)
ASKS_FOR_ANOTHER = """
    asked = engine_server.Request(['train'], os.getcwd(), 'other.txt', os.environ['TMPDIR'])
    request = asked._asdict()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        try:  # it may hang up before the request is sent
            child = forked_child.request_fork(Path(argv[1]), request)
            child.connection.setblocking(True)
            answer = child.poll() or child.pid
        except ConnectionError:
            answer = 'refused'
        Path('answer.part').write_text(str(answer))
        os.rename('answer.part', 'answer')
        os._exit(0)
    import time
    while not Path('answer').exists():
        time.sleep(0.01)
"""


class Server:
    """A fork server on a socket, and a folder that it serves."""

    def __init__(self, folder: Path, address: Path, pid: int) -> None:
        self.folder, self.address, self.pid = folder, address, pid
        self.temporary = tempfile.mkdtemp(dir=folder)
        self.attempt = folder / "attempt"
        self.attempt.mkdir()

    def ask(self, *argv: str, **changes: Any) -> ForkedChild:
        usual: dict[str, Any] = {
            "argv": argv or ["train"],
            "folder": str(self.attempt),
            "log": "log.txt",
            "temporary": self.temporary,
        }
        return request_fork(self.address, usual | changes)


@contextmanager
def serving(folder: Path, work: str = "pass") -> Iterator[Server]:
    folder = folder.resolve() / "served"
    folder.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        address = Path(short) / "w.sock"
        listener.bind(str(address))
        listener.listen()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SECRET_OF_THE_WORKER": "no"}
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER.format(work=work), str(listener.fileno())],
            pass_fds=[listener.fileno()],
            cwd=folder,
            env=environment,
        )
        try:
            yield Server(folder, address, process.pid)
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return value


def is_refused(child: ForkedChild) -> bool:
    child.connection.setblocking(True)
    try:
        child.poll()
    except ConnectionError:
        return True
    return False


def test_a_trainer_works_in_its_folder_with_its_own_temporary_one(tmp_path: Path) -> None:
    with serving(tmp_path, WRITES_ENVIRONMENT) as server:
        child = server.ask()
        until(lambda: child.poll() is not None)
        cwd, temporary, *names = json.loads((server.attempt / "found").read_text())
        assert (cwd, temporary) == (str(server.attempt), server.temporary)
        assert {"TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"} <= set(names)


@pytest.mark.parametrize("command", ["train", "tokens", "export", "evaluate"])
def test_what_the_site_asks_for_is_forked(tmp_path: Path, command: str) -> None:
    """With less claim to the processor than the pages have."""
    with serving(tmp_path, "Path('found').write_text(f'{argv} {os.nice(0)}')") as server:
        child = server.ask(command, "--json")
        until(lambda: child.poll() is not None)
        found = (server.attempt / "found").read_text()
        assert found == f"{[command, '--json']} {min(19, os.nice(0) + 10)}"


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ["generate", "x"]},
        {"argv": ["-c", "import os"]},
        {"argv": []},
        {"argv": [["train"]]},
        {"folder": "/"},
        {"folder": "/tmp"},
        {"folder": "attempt"},
        {"folder": "../attempt"},
        {"log": "../log.txt"},
        {"log": "/tmp/log.txt"},
        {"temporary": "/tmp"},
        {"temporary": "/no/such/folder"},
    ],
)
def test_it_forks_for_its_own_commands_and_places_only(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with serving(tmp_path) as server:
        assert is_refused(server.ask(**changes))
        (server.folder / "link").symlink_to("/tmp")
        assert is_refused(server.ask(folder=str(server.folder / "link")))
        child = server.ask()
        until(lambda: child.poll() is not None)  # it serves on
        assert not Path("/tmp/log.txt").exists()


def test_no_environment_and_no_program_can_be_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path) as server, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.address))
        request = {
            "argv": ["train"], "folder": str(server.attempt), "log": "log.txt",
            "temporary": server.temporary, "env": {"LD_PRELOAD": "/tmp/x.so"},
        }  # fmt: skip
        connection.sendall(json.dumps(request).encode() + b"\n")
        assert connection.recv(4) == b""


@pytest.mark.parametrize("sent", [b"", b"\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b"x" * 200_000])
def test_nonsense_and_silence_do_not_end_it(tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path) as server, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.address))
        try:
            connection.sendall(sent)
            assert connection.recv(4) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has hung up already
        child = server.ask()
        until(lambda: child.poll() is not None)
        assert child.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the system has to say who connects")
def test_a_trainer_can_t_have_another_one_forked(tmp_path: Path) -> None:
    """Nor can what it starts, whose parent is gone and whose group is another."""
    with serving(tmp_path, ASKS_FOR_ANOTHER) as server:
        child = server.ask("train", str(server.address))
        until(lambda: child.poll() is not None)
        assert (server.attempt / "answer").read_text() == "refused"
        assert not (server.attempt / "other.txt").exists()


def test_the_workers_socket_is_private(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setenv(FORK_SERVER, "")
    monkeypatch.setattr(worker, "start_child", lambda argv, **_: started.append(argv))
    with running_redis() as server:
        monkeypatch.setitem(settings.RQ_QUEUES["training"], "URL", server.url)
        made = worker.TrainingWorker(django_rq.get_queue("training"))
        made.keep_fork_server()
    monkeypatch.setenv(FORK_SERVER, "")
    facts = made.fork_server_address.stat()
    assert stat.S_ISSOCK(facts.st_mode)
    assert stat.S_IMODE(facts.st_mode) == 0o600
    assert made.fork_server_address.parent.stat().st_mode & 0o022 == 0
    assert started
    made.fork_server_address.unlink()
    made.fork_server_address.parent.chmod(0o777)
    with running_redis() as server:
        monkeypatch.setitem(settings.RQ_QUEUES["training"], "URL", server.url)
        with pytest.raises(FineTuneError, match="Others may write"):
            worker.TrainingWorker(django_rq.get_queue("training"))


def test_redis_asks_for_a_password_that_no_command_line_shows(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as short:
        folder = Path(short) / "redis"
        folder.mkdir()
        url = f"unix://:s3cret@{short}/redis.sock?db=0"
        command = redis_server.command(url, folder)
        assert "s3cret" not in " ".join(command)
        assert stat.S_IMODE((folder / "redis.conf").stat().st_mode) == 0o600
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until(lambda: redis_server.answers(url))
            stranger = redis.Redis(unix_socket_path=f"{short}/redis.sock")
            with stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            process.kill()
            process.wait()


def test_the_site_has_a_password_of_its_own() -> None:
    from maxft_site import settings

    kept = settings.DATA_DIR / "redis_password"
    assert kept.read_text() in settings.REDIS_URL
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_cold_trainer_has_its_own_temporary_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is gone with it; and what it has left that leads elsewhere is gone as well."""
    monkeypatch.delenv("MAXFT_FORK_SERVER", raising=False)
    root = tmp_path / "attempt"
    root.mkdir()
    (tmp_path / "key").write_text("secret")
    process = EngineProcess(["train", "missing.json"], RunFolder(root), online=False)
    temporary = Path(process.temporary)
    assert stat.S_IMODE(temporary.stat().st_mode) == 0o700
    assert process.env["TMPDIR"] == str(temporary)
    assert process.env["TORCHINDUCTOR_CACHE_DIR"].startswith(str(temporary))
    until(lambda: process.pid)
    until(lambda: process.poll() is not None)
    (root / "model").mkdir()
    (root / "model" / "config.json").symlink_to("/etc/passwd")
    (root / "checkpoints").symlink_to("/etc")
    os.link(tmp_path / "key", root / "log-2.txt")
    os.mkfifo(root / "heartbeat")
    process.close()
    assert not temporary.exists()
    assert {str(path.relative_to(root)) for path in root.rglob("*")} == {"model", "log.txt"}
    assert (tmp_path / "key").read_text() == "secret"
    assert not psutil.pid_exists(process.pid)
