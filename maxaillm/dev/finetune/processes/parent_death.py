"""Parent death signal (PR_SET_PDEATHSIG): a process ends with the one that started it.

Linux's kernel sees to it. Elsewhere a thread of the child looks whether its parent still lives.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
WATCH_SECONDS = 0.5


def bound_to_this_process() -> Callable[[], None]:
    """For `preexec_fn`: the kernel kills the child as soon as this process dies. Linux only."""
    parent = os.getpid()

    def bind() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return bind


def end_with_parent(parent: int) -> None:
    """Kill this process as soon as process `parent`, which started it, has ended."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    elif os.getppid() == parent:
        threading.Thread(target=watch_parent, args=[parent], daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def end_with_connection(connection: socket.socket) -> None:
    """Kill this process and its group as soon as the other end of `connection` is closed."""

    def watch() -> None:
        while True:
            select.select([connection], [], [])
            if is_closed(connection):
                os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end of a connection from which something can be read is closed: also with
    something unread, which is an error then."""
    try:
        return not connection.recv(1)
    except ConnectionResetError:
        return True
