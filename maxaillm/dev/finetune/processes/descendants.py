"""Descendants of a process, also those that left its group and lost their parent (subreaper).

A child that calls setsid and forks once more is in no group that its starter knows. Linux gives
such an orphan to the nearest ancestor that asked for it; elsewhere it goes to the system's first
process.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

import psutil

from maxaillm.dev.finetune.processes.parent_death import LIBC

PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 100
"""What is killed may have forked meanwhile: it is looked for again, but not without end."""
WAIT_SECONDS = 1.0


def adopt_orphans() -> None:
    """Become the parent of whatever descendant of this process loses its own. Linux only."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children_now() -> frozenset[int]:
    """The numbers of this process's children."""
    return frozenset(child.pid for child in psutil.Process().children())


def end_others(spare: Collection[int]) -> None:
    """Kill all children of this process but `spare`, with all that they have started, and theirs
    that come to this process as orphans."""
    for _ in range(ROUNDS):
        others = [child for child in psutil.Process().children() if child.pid not in spare]
        if not others:
            return
        for other in others:
            end_tree(other)
        psutil.wait_procs(others, timeout=WAIT_SECONDS)


def reap_orphans(spare: Collection[int]) -> None:
    """Let the system forget children of this process but `spare` that have ended: orphans, for
    nobody else waits for those."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid not in spare and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def end_tree(process: psutil.Process) -> None:
    """Kill a process and all that descends from it."""
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()


def descends_from(pid: int, ancestor: int) -> bool:
    """Whether process `pid` was started by `ancestor`, directly or not; also for one that is gone,
    of which nothing can be said."""
    try:
        return ancestor in {parent.pid for parent in psutil.Process(pid).parents()}
    except psutil.Error:
        return True
