"""Nothing that a child has started outlives it; its limits can't be raised again."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.training import engine_process
from jobs.training.engine_process import EngineProcess
from jobs.training.fork_server import FORK_SERVER
from maxaillm.dev.finetune.processes.limits import Limits
from maxaillm.dev.finetune.processes.plain_files import open_plain, read_plain
from maxaillm.dev.finetune.processes.resources import memory_limit_bytes
from maxaillm.dev.finetune.run.events import RunFolder
from maxaillm.dev.finetune.run.events.journal import JournalReader
from tests.engine.processes.test_child import BEGIN, lives, started
from tests.security.test_fork_server import serving, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
LEAVES = """
    import time
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setsid()
                with open('left', 'a') as file:
                    file.write(f'{os.getpid()} ')
                time.sleep(600)
            os._exit(0)
    while not Path('left').exists() or len(Path('left').read_text().split()) < 3:
        time.sleep(0.01)
"""
"""Three daemons: each in a session of its own, without a parent."""


def left_by(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "left").read_text().split()]


@linux
def test_daemons_of_a_forked_trainer_end_with_it(tmp_path: Path) -> None:
    with serving(tmp_path, LEAVES) as server:
        child = server.ask()
        until(lambda: child.poll() is not None)
        daemons = left_by(server.attempt)
        assert len(daemons) == 3
        assert not any(map(lives, daemons))  # at once: they end before anybody is told


@linux
def test_also_where_the_trainer_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, f"{LEAVES}\n    time.sleep(600)") as server:
        child = server.ask()
        until(lambda: (server.attempt / "left").exists() and len(left_by(server.attempt)) == 3)
        child.close()
        until(lambda: not any(map(lives, left_by(server.attempt))))


@linux
def test_daemons_of_a_cold_trainer_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FORK_SERVER, raising=False)
    program = "import os\nfrom pathlib import Path\nif True:" + LEAVES
    start = engine_process.start_child

    def start_hostile(argv: list[str], **options: Any) -> Any:
        return start([sys.executable, "-c", program], **options)

    monkeypatch.setattr(engine_process, "start_child", start_hostile)
    process = EngineProcess(["train"], RunFolder(tmp_path), online=False)
    until(lambda: process.poll() is not None)
    process.close()
    assert len(left_by(tmp_path)) == 3
    assert not any(map(lives, left_by(tmp_path)))


@linux
def test_the_limits_of_a_child_are_hard() -> None:
    program = """
import resource
emit("limits", [resource.getrlimit(kind)[1] for kind in (
    resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)])
"""
    with started(BEGIN + program, limits=Limits(2**30, 7)) as child:
        ((_, limits),) = child.receive()
    assert limits[0] == 2**30
    assert 7 <= limits[1] < 20
    assert limits[2] == 0


@linux
def test_who_ignores_the_signal_for_used_up_time_is_killed() -> None:
    program = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    with started(BEGIN + program, limits=Limits(2**30, 1)) as child:
        assert list(child.receive()) == []
    assert child.process.returncode == -9


@linux
def test_a_trainer_is_limited_and_the_first_to_go(tmp_path: Path) -> None:
    with serving(tmp_path, "import time; time.sleep(600)") as server:
        child = server.ask()
        until(lambda: child.poll() is None and child.pid)
        engine_process.limit(child.pid)
        assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0)
        if not list(Path("/dev").glob("nvidia[0-9]*")):
            _, hard = resource.prlimit(child.pid, resource.RLIMIT_DATA)
            assert hard <= 2 * memory_limit_bytes()
        assert Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "500"
        child.close()
        until(lambda: not lives(child.pid))


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder", "device"])
def test_only_plain_files_of_a_run_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.jsonl"
    match kind:
        case "link":
            path.symlink_to("/etc/passwd")
        case "dangling":
            path.symlink_to("/no/such/file")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
    with pytest.raises(FileNotFoundError):
        open_plain(path)
    assert read_plain(path) == b""
    assert JournalReader(path).read() == []  # of a pipe, without waiting for a writer


def test_a_log_that_is_a_link_is_not_shown(alice: Any, alice_client: Any) -> None:
    from tests.jobs.runs import running

    run = running(alice)
    log = run.attempt_folder(run.attempt).log
    log.parent.mkdir(parents=True)
    log.symlink_to("/etc/passwd")
    assert "root:" not in alice_client.get(f"/runs/{run.pk}/log/").content.decode()
    assert alice_client.get(f"/runs/{run.pk}/log.txt").status_code == 404


def test_a_worker_ends_what_its_job_has_left() -> None:
    """Seen in a process of its own: this one must not lose its children."""
    program = """
import os, time, psutil
from maxaillm.dev.finetune.processes.descendants import adopt_orphans, end_others
adopt_orphans()
if (lasting := os.fork()) == 0:
    time.sleep(600)
if (job := os.fork()) == 0:
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
    os._exit(0)
os.waitpid(job, 0)
end_others(spare={lasting})
print([child.pid for child in psutil.Process().children(recursive=True)] == [lasting])
os.kill(lasting, 9)
"""
    if sys.platform == "linux":
        import subprocess

        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "True"
    assert psutil.pid_exists(os.getpid())
