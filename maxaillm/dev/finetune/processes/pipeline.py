"""Pipeline of two processes (fork): one works ahead, the other takes its results. Linux only."""

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


def run_in_child(work: Callable[..., T], *receivers: Callable[[Any], object]) -> T:
    """What `work(*senders)` returns in a child process; what it sends by a sender, the receiver
    at the same place gets in this one.

    The child works on its next result while this process deals with the last. It is a fork, so
    this is for a process that has no threads yet.

    Raises what the work raises. Where the child is killed, this process ends by the same signal,
    so that whoever waits for it sees the cause.
    """
    context = get_context("fork")
    results, sender = context.Pipe(duplex=False)
    child = context.Process(target=carry_out, args=(work, sender, len(receivers), os.getpid()))
    child.start()
    sender.close()
    try:
        while True:
            place, value = results.recv()
            if place == RETURNED:
                return value  # type: ignore[no-any-return]
            if place == RAISED:
                raise value
            receivers[place](value)
    except EOFError:
        child.join()
        end_by_signal(-(child.exitcode or 0))
        raise
    finally:
        child.kill()
        child.join()


def carry_out(work: Callable[..., object], sender: Connection, senders: int, parent: int) -> None:
    """In the child: the work, and what becomes of it."""
    end_with_parent(parent)

    def sender_to(place: int) -> Callable[[Any], None]:
        return lambda value: sender.send((place, value))

    try:
        sender.send((RETURNED, work(*map(sender_to, range(senders)))))
    except (MemoryError, RecursionError, OSError) as error:
        sender.send((RAISED, error))


def end_by_signal(number: int) -> None:
    """End this process by a signal, if it is one."""
    if number <= 0:
        return
    if number != signal.SIGKILL:  # which has no handler
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
