"""Programs that a fork server starts: kept up as those that import by themselves, and secret."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.site.supervisor import Program, Supervisor
from jobs.training.fork_server import listen
from maxaillm.dev.finetune.processes.forked_child import request_fork
from tests.real_data import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
SERVER = """
import json, os, sys, time
from pathlib import Path
from socket import socket
from jobs.site import forked_programs
def work(command):
    Path("found.part").write_text(json.dumps([command.argv, os.getcwd(), dict(os.environ)]))
    os.rename("found.part", "found")
    print("It works.", flush=True)
    time.sleep(600)
forked_programs.ForkedCommand.carry_out = work
listener, control = (socket(fileno=int(number)) for number in sys.argv[1:])
public = forked_programs.engine_source(listener, Path.cwd())
forked_programs.main(public, forked_programs.command_source(control), imports=())
"""
"""The server of the engine without the libraries; `work` stands in for the command."""
BY_ITSELF = [sys.executable, "-c", "import time; open('by itself', 'w'); time.sleep(600)"]
SECRET = "-".join(["a", "secret", "of", "the", "site"])


class Site(Supervisor):
    """A supervisor with a fork server, and a program that this forks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {**os.environ, "PYTHONPATH": str(ROOT), "SECRET": SECRET})
        self.folder, self.address = folder, folder / "w.sock"
        clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self.server = Program(
            "engine",
            [sys.executable, "-c", SERVER],
            listen=lambda: listen(self.address),
            leaves_last=True,
            options={"env": clean, "cwd": folder},
        )
        self.program = Program("answers", BY_ITSELF, forked_by="engine", command=["infer", "-v"])

    async def begin(self) -> None:
        await self.start(self.server)
        await self.start(self.program)
        await self.until((self.folder / "found").exists)

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(60):
            while not (found := condition()):
                await asyncio.sleep(0.01)
        return found

    async def other(self, name: str, than: int) -> int:
        """The number of the process that came in the place of another."""

        def found() -> int | None:
            process = self.running.get(name)
            return process.pid if process and process.pid != than else None

        return int(await self.until(found))


@pytest.fixture
def carry_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a test in the loop of a site, of which nothing is left afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(psutil.Process().children(recursive=True))

    async def watch(test: Callable[[Site], Awaitable[None]]) -> None:
        site = Site(tmp_path)
        try:
            await site.begin()
            await test(site)
        finally:
            await site.end_all()

    yield lambda test: asyncio.run(watch(test))
    assert set(psutil.Process().children(recursive=True)) <= before


def test_it_gets_its_environment_and_is_forked_again_where_it_dies(carry_out: Any) -> None:
    async def test(site: Site) -> None:
        argv, cwd, environment = json.loads((site.folder / "found").read_text())
        assert (argv, cwd) == (["infer", "-v"], str(site.folder))
        assert environment == site.env
        await site.until(lambda: "It works." in site.log_of("answers").read_text())
        first = psutil.Process(site.running["answers"].pid)
        assert (first.name(), os.getsid(first.pid)) == ("answers", first.pid)
        first.kill()
        second = psutil.Process(await site.other("answers", first.pid))
        assert second.ppid() == site.running["engine"].pid

    carry_out(test)


def test_it_dies_with_the_server_and_comes_back_from_the_next_one(carry_out: Any) -> None:
    async def test(site: Site) -> None:
        server, program = site.running["engine"].pid, site.running["answers"].pid
        psutil.Process(server).kill()
        await site.until(lambda: not psutil.pid_exists(program))
        server = await site.other("engine", server)
        program = await site.other("answers", program)
        assert psutil.Process(program).ppid() == server

    carry_out(test)


def test_without_a_server_it_imports_by_itself(carry_out: Any) -> None:
    """As where the site's own server has died, which can't be forked again."""

    async def test(site: Site) -> None:
        site.controls["dead"], theirs = socket.socketpair()
        theirs.close()
        for server in ("dead", "never there"):
            (site.folder / "by itself").unlink(missing_ok=True)
            await site.start(Program(f"of {server}", BY_ITSELF, forked_by=server))
            await site.until((site.folder / "by itself").exists)

    carry_out(test)


def test_the_server_never_holds_what_the_program_gets(carry_out: Any) -> None:
    """Else each trainer, which is forked of its memory, would hold it too."""

    async def test(site: Site) -> None:
        assert SECRET.encode() in memory_of(site.running["answers"].pid)
        held = memory_of(site.running["engine"].pid)
        assert b"maxaillm" in held
        assert SECRET.encode() not in held

    carry_out(test)


def test_programs_can_t_be_asked_for_by_the_socket(carry_out: Any) -> None:
    async def test(site: Site) -> None:
        request = {"name": "x", "argv": ["infer"], "folder": str(site.folder), "log": "log.txt"}
        child = request_fork(site.address, request)
        child.connection.setblocking(True)
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(child.poll)

    carry_out(test)


def memory_of(pid: int) -> bytes:
    """All that a process has written to its memory."""
    found = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
            if rights.startswith("rw") and name != "[vvar]":
                begin, end = (int(number, 16) for number in place.split("-"))
                memory.seek(begin)
                found += memory.read(end - begin)
    return bytes(found)
