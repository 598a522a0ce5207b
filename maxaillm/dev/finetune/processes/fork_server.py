"""Fork server: a process with the libraries imported that forks trainers on request, so that
they need not wait for imports.

`python -m maxaillm.dev.finetune.processes.fork_server FD` serves the listening socket that it
inherits as FD; `request_fork` has it start a trainer. Requests that come while it still imports
are answered then. It never runs a torch operation and never touches a GPU: neither survives a fork.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from maxaillm.dev.finetune.processes.parent_death import end_with_connection, end_with_parent

IMPORTED_AHEAD = (
    "torch",
    "transformers.trainer",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "peft",
    "datasets",
    "maxaillm.dev.finetune.__main__",
    "maxaillm.dev.finetune.providers.hugging_face",
)
REQUEST_SECONDS = 5.0
NUMBER = struct.Struct("!i")


class Request(NamedTuple):
    """What a trainer is started with: the arguments of `python -m maxaillm.dev.finetune`."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    log: str


class ForkedChild:
    """A trainer that the fork server was asked for; it is killed when `connection` is closed."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = 0
        """0 until it is started: the server may still import."""
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs or is not started yet.

        Raises ConnectionError where the server has died before it started the trainer.
        """
        if self.returncode is None:
            try:
                number = receive(self.connection)
            except ConnectionError:
                self.close()
                if not self.pid:
                    raise
            else:
                if self.pid:
                    self.returncode = number
                else:
                    self.pid = number or 0
        return self.returncode

    def close(self) -> None:
        """Kill it where it still runs: the server's death does that, too."""
        self.connection.close()
        if self.returncode is None:
            self.returncode = -signal.SIGKILL


def request_fork(address: Path, request: Request) -> ForkedChild:
    """Have a trainer started. Raises OSError where nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(address))
        connection.sendall(json.dumps(request._asdict()).encode() + b"\n")
    except OSError:
        connection.close()
        raise
    connection.setblocking(False)
    return ForkedChild(connection)


def receive(connection: socket.socket) -> int | None:
    """The next number: the trainer's process id, then how it ended. None while there is none.

    Raises ConnectionError where the server has died.
    """
    try:
        packed = connection.recv(NUMBER.size)
    except BlockingIOError:
        return None
    if not packed:
        raise ConnectionResetError("The fork server has died.")
    number: int = NUMBER.unpack(packed)[0]
    return number


def send(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(NUMBER.pack(number))
    except (BrokenPipeError, ConnectionResetError):
        return  # who asked is gone, and the trainer with it


def main(listener: socket.socket) -> None:
    os.umask(0o077)
    end_with_parent(os.getppid())
    for name in IMPORTED_AHEAD:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is imported is never collected, and so stays shared with the trainers
    request, connection = ForkServer(listener).serve()
    take_over(request, connection)
    train = importlib.import_module("maxaillm.dev.finetune.__main__").main
    sys.exit(train(list(request.argv)))


class ForkServer:
    """Forks a child a request, and sends who asked its process id and how it ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.children: dict[int, socket.socket] = {}
        self.woken, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> tuple[Request, socket.socket]:
        """Serve for ever; returns only in a forked child, with its request and who made it."""
        while True:
            ready, _, _ = select.select([self.listener.fileno(), self.woken], [], [])
            if self.woken in ready:
                os.read(self.woken, 512)
                self.reap()
            if self.listener.fileno() in ready:
                accepted = self.accept()
                if accepted and self.fork(accepted[1]):
                    return accepted

    def accept(self) -> tuple[Request, socket.socket] | None:
        connection, _ = self.listener.accept()
        connection.settimeout(REQUEST_SECONDS)
        with connection.makefile("rb") as file:
            line = file.readline()
        if not line.endswith(b"\n"):  # who asked is gone
            connection.close()
            return None
        return Request(**json.loads(line)), connection

    def fork(self, connection: socket.socket) -> bool:
        """Whether this is the child."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            end_with_parent(parent)
            self.close()
            return True
        self.children[pid] = connection
        send(connection, pid)
        return False

    def reap(self) -> None:
        for pid, connection in list(self.children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                send(connection, os.waitstatus_to_exitcode(status))
                connection.close()
                del self.children[pid]

    def close(self) -> None:
        """In a child: let go of all that belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.listener.close()
        os.close(self.woken)
        os.close(self.wake)
        for connection in self.children.values():
            connection.close()


def take_over(request: Request, connection: socket.socket) -> None:
    """Give a forked child what was requested, and bind its life to the connection."""
    end_with_connection(connection)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    if "PYTHONFAULTHANDLER" in request.env:
        faulthandler.enable()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
