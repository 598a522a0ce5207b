"""Where the engine's fork server is asked: by a socket that the environment names."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from django.conf import settings

from jobs.site.redis_server import require_private
from maxft_site.settings import redis_socket

FORK_SERVER = "MAXFT_FORK_SERVER"
"""Names the socket in the environment of whoever has a fork server, and of its children."""


def own_address() -> Path:
    """Of the fork server that this process starts: beside the socket of Redis, a path that is short
    enough for one. Raises FineTuneError where others may put theirs there."""
    address = redis_socket(settings.DATA_DIR).with_name(f"w-{os.getpid()}.sock")
    require_private(address.parent)
    return address


def listen(address: Path) -> socket.socket:
    """A new socket for a fork server: what was asked of an older one fails."""
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    address.chmod(0o600)
    listener.listen()
    return listener


def fork_server_address() -> Path | None:
    """Where to ask; None where there is no fork server on this machine. A program that was started
    by hand finds that of a training worker."""
    if named := os.environ.get(FORK_SERVER):
        return Path(named)
    folder = redis_socket(settings.DATA_DIR).parent
    found = sorted(folder.glob("w-*.sock"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None
