"""Work in a second process, whose results are heard in this one while it goes on. Linux only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from maxaillm.dev.finetune.processes.parent_death import end_with_parent

T = TypeVar("T")
RETURNED, RAISED = -1, -2


def heard(work: Callable[..., T], *hearers: Callable[[Any], object]) -> T:
    """What `work(*tellers)` gives; what it tells a teller, the hearer at its place gets here.

    The second process works on its next result while this one deals with the last. It is a
    fork, so it is for a process that has no threads yet.

    Raises what the work raises. Where the second process is killed, this one ends by the same
    signal, so that whoever waits for it sees the cause.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=do, args=(work, sender, len(hearers), os.getpid()))
    process.start()
    sender.close()
    try:
        while True:
            place, value = receiver.recv()
            if place == RETURNED:
                return value  # type: ignore[no-any-return]
            if place == RAISED:
                raise value
            hearers[place](value)
    except EOFError:
        process.join()
        end_by(-(process.exitcode or 0))
        raise
    finally:
        process.kill()
        process.join()


def do(work: Callable[..., object], sender: Connection, tellers: int, parent: int) -> None:
    end_with_parent(parent)

    def teller(place: int) -> Callable[[Any], None]:
        return lambda value: sender.send((place, value))

    try:
        sender.send((RETURNED, work(*map(teller, range(tellers)))))
    except (MemoryError, RecursionError, OSError) as error:
        sender.send((RAISED, error))


def end_by(number: int) -> None:
    """End this process by a signal, if it is one."""
    if number > 0:
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
