"""Fork server: a process with the libraries imported that forks trainers on request, so that
they need not wait for imports.

`python -m maxaillm.dev.finetune.processes.fork_server FD` serves the listening socket that it
inherits as FD; `request_fork` has it start a trainer. Requests that come while it still imports
are answered then. It never runs a torch operation and never touches a GPU: neither survives a fork.

A trainer runs what others wrote, and may run what they want. So a request names a command of the
engine and a folder below the one that the server was started in, and no program, environment or
other place; and whoever descends from the server, as trainers do, is refused.
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
import stat
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maxaillm.dev.finetune.processes.child import own_temporary
from maxaillm.dev.finetune.processes.descendants import adopt_orphans, descends_from, end_others
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
COMMANDS = frozenset({"train", "tokens"})
"""Those of `python -m maxaillm.dev.finetune` that a fork carries out."""
REQUEST_SECONDS = 5.0
REQUEST_BYTES = 64 * 1024
NUMBER = struct.Struct("!i")
CREDENTIALS = struct.Struct("3i")


class Request(NamedTuple):
    """What a trainer is started with."""

    argv: Sequence[str]
    """The arguments of `python -m maxaillm.dev.finetune`."""
    folder: str
    """Where it works."""
    log: str
    """The name of the file there that gets its output."""
    temporary: str
    """Its private folder for temporary files."""

    def is_permitted(self, root: Path) -> bool:
        """Whether it is of the kind that this server carries out, within `root`."""
        folder, temporary = Path(self.folder), Path(self.temporary)
        return (
            self.argv[0] in COMMANDS
            and folder.resolve() == folder
            and folder.is_relative_to(root)
            and folder.is_dir()
            and self.log == Path(self.log).name
            and is_private(temporary)
        )


def is_private(folder: Path) -> bool:
    """Whether this user alone may look into a folder, which is no link to another one."""
    facts = folder.lstat()
    mine = facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) & 0o077 == 0
    return mine and stat.S_ISDIR(facts.st_mode)


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
    adopt_orphans()
    request, connection = ForkServer(listener, Path.cwd().resolve()).serve()
    take_over(request, connection)
    train = importlib.import_module("maxaillm.dev.finetune.__main__").main
    sys.exit(train(list(request.argv)))


class ForkServer:
    """Forks a child a request, and sends who asked its process id and how it ended."""

    def __init__(self, listener: socket.socket, root: Path) -> None:
        self.listener, self.root = listener, root
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
        """Who asks next, and for what; None, and hung up on, where that is not permitted."""
        connection, _ = self.listener.accept()
        connection.settimeout(REQUEST_SECONDS)
        try:
            if is_outsider(connection):
                request = read_request(connection)
                if request.is_permitted(self.root):
                    return request, connection
        except (OSError, ValueError, TypeError, LookupError) as error:
            print(f"A request could not be read: {error}", file=sys.stderr)  # noqa: T201
        connection.close()
        return None

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
        self.listener.close()
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


def read_request(connection: socket.socket) -> Request:
    """Raises ValueError or TypeError for what is none."""
    with connection.makefile("rb") as file:
        line = file.readline(REQUEST_BYTES)
    return Request(**json.loads(line))


def take_over(request: Request, connection: socket.socket) -> None:
    """Give a forked child what was requested, and bind its life to the connection."""
    end_with_connection(connection)
    os.chdir(request.folder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(request.log, flags, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.update(own_temporary(request.temporary))
    tempfile.tempdir = None  # it is looked up anew
    faulthandler.enable()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
