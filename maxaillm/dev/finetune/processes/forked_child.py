"""A child that a fork server was asked for: its number, how it ended, its end."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.processes.fork_server import NUMBER


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


def request_fork(address: Path, request: Mapping[str, Any]) -> ForkedChild:
    """Have a trainer started. Raises OSError where nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(address))
        connection.sendall(json.dumps(request).encode() + b"\n")
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
