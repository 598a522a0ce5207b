"""Starts the site's processes, restarts what dies, and ends all of them in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.site.forked_programs import ForkedCommand, ForkedProcess
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.child import kill_group, own_session
from maxaillm.dev.finetune.processes.descendants import (
    adopt_orphans,
    children_now,
    end_others,
    reap_orphans,
)
from maxaillm.dev.finetune.processes.parent_death import end_with_parent

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 30.0
"""A process that lived so long is restarted as quickly as at first."""
READY_SECONDS = 60.0
LOOK_SECONDS = 0.05
SUPERVISED_BY = "MAXFT_UP"
"""In a program's environment: the process that keeps it up."""
LOG_BYTES = 5_000_000

NONE: Mapping[str, Any] = {}
IsReady = Callable[[], Awaitable[bool]]


def end_with_supervisor() -> None:
    """For programs: don't outlive the supervisor, if there is one and the kernel lets us."""
    if os.environ.get(SUPERVISED_BY) == str(os.getppid()):
        end_with_parent(os.getppid())


@dataclass(frozen=True)
class Program:
    """A process to keep up."""

    name: str
    argv: Sequence[str]
    is_ready: IsReady | None = None
    leave_seconds: float = 5.0
    """So long it may take to leave; then it is killed."""
    leaves_last: bool = False
    """Others need it while they leave."""
    forked_by: str = ""
    """The fork server that is asked for it; without one it is a process of its own."""
    command: Sequence[str] = ()
    """What that carries out: a command of `maxft`, the end of `argv`."""
    listen: Callable[[], socket.socket] | None = None
    """For a fork server, which `argv` starts: makes the socket by which others than the supervisor
    ask it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the process, in place of the usual: `env`, `cwd`."""


class Supervisor:
    """Each program runs in a session of its own: Ctrl-C reaches this process alone, which then
    ends them in order. Should this process be killed, the kernel kills them with it."""

    def __init__(
        self, logs: Path, env: Mapping[str, str], controls: Mapping[str, socket.socket] = NONE
    ) -> None:
        self.logs, self.env = logs, {**env, SUPERVISED_BY: str(os.getpid())}
        self.controls = dict(controls)
        """Asks fork servers, by their names: one that is there already, and programs."""
        self.running: dict[str, asyncio.subprocess.Process | ForkedProcess] = {}
        self.programs: dict[str, Program] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.wants_to_stop = asyncio.Event()
        adopt_orphans()
        self.others = children_now()

    def stop_on_signals(self) -> None:
        """The first asks all to leave, the second does not wait for them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)

    def stop(self) -> None:
        if self.wants_to_stop.is_set():
            for name in self.running:
                self.signal(name, signal.SIGKILL)
        self.wants_to_stop.set()

    async def start(self, program: Program) -> None:
        """Begin to keep a program up. Returns as soon as it is ready.

        Raises FineTuneError where it is not in time.
        """
        self.programs[program.name] = program
        task = asyncio.create_task(self.keep_up(program))
        self.tasks.add(task)
        if program.is_ready is None:
            return
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not (await program.is_ready() or self.wants_to_stop.is_set()):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise FineTuneError(
                f"The program {program.name} did not start within {READY_SECONDS:.0f} s.",
                f"See {self.log_of(program.name)}.",
            ) from None

    async def carry_out(self, program: Program) -> None:
        """Have a program do its work, which comes to an end.

        Raises FineTuneError where that is an error.
        """
        process = await self.fork(program) or await self.spawn(program)
        if process and await process.wait():
            raise FineTuneError(
                f"The program {program.name} has failed.", f"See {self.log_of(program.name)}."
            )

    async def keep_up(self, program: Program) -> None:
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while not self.wants_to_stop.is_set():
            began = loop.time()
            process = await self.fork(program) or await self.spawn(program)
            if process is None:
                return
            self.running[program.name] = process
            if self.wants_to_stop.is_set():
                self.signal(program.name, signal.SIGKILL)
            status = await process.wait()
            del self.running[program.name]
            if self.wants_to_stop.is_set():
                return
            log.warning("%s ended (%s) and is started again.", program.name, status)
            pause = FIRST_PAUSE if loop.time() - began > STEADY_SECONDS else pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wants_to_stop.wait(), pause)
            reap_orphans(self.others | {process.pid for process in self.running.values()})
            pause = min(2 * pause, LONGEST_PAUSE)

    async def fork(self, program: Program) -> ForkedProcess | None:
        """Ask the program's fork server for it. None where there is none, or it has died."""
        server = program.forked_by
        while server in self.programs and server not in self.running:  # it is started again
            if self.wants_to_stop.is_set():
                return None
            await asyncio.sleep(LOOK_SECONDS)
        if server not in self.controls:
            return None
        log_file = str(self.file_for(program.name))
        command = ForkedCommand(program.name, program.command, str(Path.cwd()), log_file)
        try:
            return await ForkedProcess.start(self.controls[server], command, self.env)
        except (OSError, asyncio.IncompleteReadError):
            log.warning("The fork server %s has died: %s imports by itself.", server, program.name)
            return None

    async def spawn(self, program: Program) -> asyncio.subprocess.Process | None:
        """Start the program's own process, unless all are to stop."""
        if self.wants_to_stop.is_set():
            return None
        options = {"env": self.env, **own_session(), **program.options}
        with self.file_for(program.name).open("ab") as output, contextlib.ExitStack() as passed:
            numbers = [passed.enter_context(one).fileno() for one in self.sockets_for(program)]
            return await asyncio.create_subprocess_exec(
                *program.argv,
                *map(str, numbers),
                pass_fds=numbers,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **options,
            )

    def sockets_for(self, program: Program) -> list[socket.socket]:
        """By what a fork server is asked: a listening socket, and the other end of a control."""
        if program.listen is None:
            return []
        if old := self.controls.pop(program.name, None):
            old.close()
        self.controls[program.name], theirs = socket.socketpair()
        return [program.listen(), theirs]

    def file_for(self, name: str) -> Path:
        """Where the output of a program goes that is about to start."""
        path = self.log_of(name)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".old.log"))
        return path

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    async def end_all(self) -> None:
        """Everybody leaves; those that others need leave last; who does not leave is killed."""
        self.wants_to_stop.set()
        for is_last in (False, True):
            leaving = [p for p in self.programs.values() if p.leaves_last == is_last]
            await asyncio.gather(*map(self.end, leaving))
        await asyncio.gather(*self.tasks)
        end_others(spare=self.others)

    async def end(self, program: Program) -> None:
        process = self.running.get(program.name)
        if process is None:
            return
        self.signal(program.name, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), program.leave_seconds)
        self.signal(program.name, signal.SIGKILL)
        await process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Signal a program; to kill it means all of its group."""
        process = self.running.get(name)
        if process is None:
            return
        if number == signal.SIGKILL:
            kill_group(process.pid)
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
