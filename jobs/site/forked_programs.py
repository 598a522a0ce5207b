"""The site's programs as forks of a process that has their imports, instead of processes that each
import the same.

Two servers fork them. That of the site is itself a fork of `up`, from before it has threads. That
of the engine forks trainers too, which get no secret of the site: so it has none, and what answers
with models gets the environment once it is forked. Both are asked by the supervisor alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.processes.engine_server import IMPORTED_AHEAD, engine_source, main
from maxaillm.dev.finetune.processes.fork_server import (
    NUMBER,
    ForkServer,
    PrivateSource,
    redirect_output,
)
from maxaillm.dev.finetune.processes.imports import import_ahead
from maxaillm.dev.finetune.processes.parent_death import LIBC, end_with_parent

IS_SAFE = sys.platform == "linux"
"""Elsewhere a fork may not use the system's libraries, and outlives its parent."""
PR_SET_NAME = 15
SITE, ENGINE = "site", "engine"
"""The two servers."""
OF_THE_SITE = (
    "maxft_site.urls",
    "maxft_site.asgi",
    "uvicorn",
    "jobs.tasks",
    "datasets_app.tasks",
    "jobs.training.watchdog",
    "jobs.management.commands.serve",
    "jobs.management.commands.worker",
    "jobs.management.commands.watchdog",
)
OF_THE_ENGINE = (*IMPORTED_AHEAD, "maxaillm.model.opening", "maxaillm.model.loaded")


class ForkedCommand(NamedTuple):
    """A command of `maxft` that a fork carries out."""

    name: str
    argv: Sequence[str]
    folder: str
    log: str

    def take_over(self, connection: socket.socket) -> None:
        """The environment comes after the fork: the server must not see it."""
        connection.settimeout(None)
        with connection, connection.makefile("rb") as file:
            environment = json.loads(file.readline())
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # it is looked up anew
        os.umask(0o077)
        os.chdir(self.folder)
        redirect_output(self.log)
        if LIBC is not None:
            LIBC.prctl(PR_SET_NAME, self.name.encode())  # cut to 15 bytes; `ps` and `top` show it

    def carry_out(self) -> int:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "maxft_site.settings")
        from django.core.management import execute_from_command_line

        sys.argv = ["maxft", *self.argv]
        execute_from_command_line([*sys.argv, "--skip-checks"])  # `up` has checked
        return 0


def command_source(control: socket.socket) -> PrivateSource:
    return PrivateSource(control, lambda content: ForkedCommand(**content))


@contextmanager
def site_server() -> Iterator[dict[str, socket.socket]]:
    """The server of the site, for this block: its name and what asks it; nothing where a fork is
    not safe.

    In the programs that it forks, this carries them out and does not return.
    """
    if not IS_SAFE:
        yield {}
        return
    import_ahead(OF_THE_SITE)
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.setsid()
        end_with_parent(parent)
        sys.exit(ForkServer(command_source(theirs)).serve().carry_out())
    theirs.close()
    try:
        yield {SITE: ours}
    finally:
        ours.close()
        os.waitpid(pid, 0)


class ForkedProcess:
    """A program that was asked of a fork server, with the face of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, end: asyncio.Task[int]) -> None:
        self.pid, self.end = pid, end

    @classmethod
    async def start(
        cls, control: socket.socket, command: ForkedCommand, environment: Mapping[str, str]
    ) -> ForkedProcess:
        """Returns once it is there: the server may still import.

        Raises OSError, or IncompleteReadError, where the server has died.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(control, [b"+"], [theirs.fileno()])
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.write(as_line(command._asdict()))
        pid = await number_from(reader)
        writer.write(as_line(environment))
        return cls(pid, asyncio.create_task(end_from(reader, writer)))

    async def wait(self) -> int:
        return await asyncio.shield(self.end)

    def send_signal(self, number: signal.Signals) -> None:
        if not self.end.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def as_line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


async def number_from(reader: asyncio.StreamReader) -> int:
    (number,) = NUMBER.unpack(await reader.readexactly(NUMBER.size))
    return int(number)


async def end_from(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """How a program ended."""
    try:
        return await number_from(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return -signal.SIGKILL  # it dies with the server
    finally:
        writer.close()


if __name__ == "__main__":
    listener, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    main(
        engine_source(listener, Path.cwd().resolve()),
        command_source(control),
        imports=OF_THE_ENGINE,
    )
