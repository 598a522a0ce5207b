"""File locks that the kernel frees as soon as their holder ends, even by SIGKILL."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock


def file_lock(path: Path) -> FileLock:
    """A lock of the calling thread on the file `path`, which is made and stays empty.

    Processes that the holder forks don't hold it: when it is free, the holder has ended. A file
    system without flock is an OSError, for a lock that merely is a file would outlive its holder.
    """
    return FileLock(path, fallback_to_soft=False)
