"""Record locks (POSIX, fcntl): held by one process and none of its forks, until it ends.

`filelock` uses flock, which a fork shares with its parent until Python runs in it, and which the
same process can't take twice. Whether an attempt lives is read from its lock, and a notebook may
begin a run anew in the folder of an object that is still there: both need record locks.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


def hold_record_lock(path: Path) -> IO[bytes]:
    """Lock the file `path`, which is made, until what this gives is closed or the process ends.

    Raises BlockingIOError where another process holds it.
    """
    file = path.open("ab")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def is_record_locked(path: Path) -> bool:
    """Whether another process holds the lock. Not for a lock of this process: asking frees it."""
    if not path.exists():
        return False
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
