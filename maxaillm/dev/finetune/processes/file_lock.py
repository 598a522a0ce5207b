"""File locks that the kernel frees as soon as their holder ends, even by SIGKILL."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock


def file_lock(path: Path) -> FileLock:
    """A lock of the calling thread on the file `path`, which is made and stays empty.

    A process that the holder forks gives it up once Python runs in it. A file system without flock
    is an OSError, for a lock that merely is a file would outlive its holder. For what must tell
    whether a process lives: `record_lock`.
    """
    return FileLock(path, fallback_to_soft=False)
