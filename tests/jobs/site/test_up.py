"""What `up` refuses to start, with a sentence; how the supervisor keeps programs up."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.management.commands.up import only_one, require_free_port, require_safety
from jobs.site import redis_server
from jobs.site.supervisor import Program, Supervisor
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.settings import redis_socket

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
IS_DEAF = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
           "open('deaf', 'w'); time.sleep(60)"]  # fmt: skip


def test_one_site_a_data_directory(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(FineTuneError, match=f"process {os.getpid()}"):
        only_one(tmp_path).__enter__()
    with only_one(tmp_path):
        pass


def test_debugging_stays_on_this_machine(settings: Any) -> None:
    settings.DEBUG = True
    require_safety("127.0.0.1")
    with pytest.raises(FineTuneError, match="MAXFT_DEBUG"):
        require_safety("0.0.0.0")


@pytest.mark.parametrize("url", ["redis://10.0.0.7:6379/0", "redis://redis.example:6379"])
def test_a_redis_of_others_needs_a_password(settings: Any, url: str) -> None:
    settings.REDIS_URL = url
    with pytest.raises(FineTuneError, match="password"):
        require_safety("127.0.0.1")
    settings.REDIS_URL = url.replace("//", "//:secret@")
    require_safety("127.0.0.1")


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FineTuneError, match=str(port)):
            require_free_port("127.0.0.1", port)


def test_a_socket_has_a_short_path(tmp_path: Path) -> None:
    short, long = redis_socket(Path("/srv/maxft")), redis_socket(tmp_path / ("x" * 200))
    assert short == Path("/srv/maxft/redis.sock")
    assert len(str(long.with_name("w-1234567.sock"))) <= 107


def test_a_folder_that_others_may_write_to_holds_no_socket(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(FineTuneError, match="Others may write"):
        redis_server.make_way(f"unix://{tmp_path / 'redis.sock'}")


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    async def watch() -> None:
        supervisor = Supervisor(tmp_path, dict(os.environ))
        await supervisor.start(Program("sleeper", SLEEPS))
        first = await pid_of(supervisor, "sleeper")
        psutil.Process(first).kill()
        while await pid_of(supervisor, "sleeper") == first:
            await asyncio.sleep(0.01)
        last = await pid_of(supervisor, "sleeper")
        await supervisor.end_all()
        assert not psutil.pid_exists(last)

    asyncio.run(watch())


def test_what_does_not_leave_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def watch() -> None:
        supervisor = Supervisor(tmp_path, dict(os.environ))
        await supervisor.start(Program("deaf", IS_DEAF, leave_seconds=0.2))
        while not (tmp_path / "deaf").exists():
            await asyncio.sleep(0.01)
        pid = await pid_of(supervisor, "deaf")
        await supervisor.end_all()
        assert not psutil.pid_exists(pid)

    asyncio.run(watch())


def test_what_fails_before_the_site_is_up_is_said(tmp_path: Path) -> None:
    async def watch() -> None:
        supervisor = Supervisor(tmp_path, dict(os.environ))
        await supervisor.carry_out(Program("works", [sys.executable, "-c", "pass"]))
        with pytest.raises(FineTuneError, match="fails") as told:
            await supervisor.carry_out(Program("fails", [sys.executable, "-c", "1 / 0"]))
        assert str(tmp_path / "fails.log") in told.value.hint
        assert "ZeroDivisionError" in (tmp_path / "fails.log").read_text()

    asyncio.run(watch())


async def pid_of(supervisor: Supervisor, name: str) -> int:
    while name not in supervisor.running:
        await asyncio.sleep(0.01)
    return supervisor.running[name].pid
