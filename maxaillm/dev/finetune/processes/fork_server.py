"""Fork server: a process with what its children need imported, which forks them on request, so that
neither their imports nor the memory these take are paid for more than once.

It has no threads, and never runs a torch operation or touches a GPU: neither survives a fork.
What a child is to do is an `Order`, of which each server says what it permits; `forked_child` asks
for one.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from maxaillm.dev.finetune.processes.descendants import descends_from, end_others
from maxaillm.dev.finetune.processes.parent_death import end_with_parent

REQUEST_SECONDS = 5.0
REQUEST_BYTES = 64 * 1024
NUMBER = struct.Struct("!i")
CREDENTIALS = struct.Struct("3i")


class Order(Protocol):
    """What a forked child is to do."""

    def take_over(self, connection: socket.socket) -> None:
        """First of all: the child's place, output and environment. Who asked is at the other end
        of `connection`."""

    def carry_out(self) -> int:
        """Its work; what this returns is its exit code."""


Permit = Callable[[dict[str, Any]], Order]
"""The order that a request makes. Raises OSError, ValueError, TypeError or LookupError for one that
is not permitted."""


class Source(ABC):
    """Where requests come from: a connection each, which is sent the child's number and its end."""

    def __init__(self, sock: socket.socket, permit: Permit) -> None:
        self.socket, self.permit = sock, permit

    @abstractmethod
    def accept(self) -> socket.socket | None:
        """Who asks next; None, and hung up on, where they may not."""


class PublicSource(Source):
    """A listening socket with a path: everybody of this user may ask, but no descendant of the
    server, which may run what others wrote."""

    def accept(self) -> socket.socket | None:
        connection, _ = self.socket.accept()
        if is_outsider(connection):
            return connection
        connection.close()
        return None


class PrivateSource(Source):
    """One end of a pair of sockets: who holds the other one, and nobody else, may ask. The server
    ends with it."""

    def accept(self) -> socket.socket | None:
        _, numbers, _, _ = socket.recv_fds(self.socket, 1, 1)
        if not numbers:
            sys.exit()
        return socket.socket(fileno=numbers[0])


class ForkServer:
    """Forks a child a request, and sends who asked its process id and how it ended."""

    def __init__(self, *sources: Source) -> None:
        self.sources = {source.socket.fileno(): source for source in sources}
        self.children: dict[int, socket.socket] = {}
        self.woken, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> Order:
        """Serve for ever; returns only in a forked child, with what that is to do."""
        while True:
            ready, _, _ = select.select([*self.sources, self.woken], [], [])
            if self.woken in ready:
                os.read(self.woken, 512)
                self.reap()
            for source in filter(None, map(self.sources.get, ready)):
                if (connection := source.accept()) and (order := self.answer(source, connection)):
                    return order

    def answer(self, source: Source, connection: socket.socket) -> Order | None:
        """Fork for a request; hang up where it is not permitted. The order, in the child alone."""
        connection.settimeout(REQUEST_SECONDS)
        try:
            order = source.permit(read_object(connection))
        except (OSError, ValueError, TypeError, LookupError) as error:
            print(f"A request was refused: {error}", file=sys.stderr)  # noqa: T201
            connection.close()
            return None
        if not self.fork(connection):
            return None
        order.take_over(connection)
        return order

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
        """Say how children ended, once nothing is left that they have started."""
        for pid, connection in list(self.children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.children[pid]
                end_others(spare=self.children)
                send(connection, os.waitstatus_to_exitcode(status))
                connection.close()

    def close(self) -> None:
        """In a child: let go of all that belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for source in self.sources.values():
            source.socket.close()
        os.close(self.woken)
        os.close(self.wake)
        for connection in self.children.values():
            connection.close()


def is_outsider(connection: socket.socket) -> bool:
    """Whether this user connected, and no descendant of this process. Where the system does not say
    who did, the socket's folder, which only this user may enter, has to do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _ = CREDENTIALS.unpack(packed)
    return uid == os.geteuid() and not descends_from(pid, os.getpid())


def read_object(connection: socket.socket) -> dict[str, Any]:
    """A line of JSON. Raises OSError or ValueError for what is none."""
    with connection.makefile("rb") as file:
        found = json.loads(file.readline(REQUEST_BYTES))
    if not isinstance(found, dict):
        raise ValueError("It is no object.")
    return found


def send(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(NUMBER.pack(number))
    except (BrokenPipeError, ConnectionResetError):
        return  # who asked is gone, and the child with it, if it is bound to the connection


def redirect_output(log: str) -> None:
    """Have this process read nothing, and write to the file `log`, which is no link."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    output = os.open(log, flags, 0o600)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
