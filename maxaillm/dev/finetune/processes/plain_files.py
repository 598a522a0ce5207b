"""Plain files in a folder that a program wrote which is not trusted: no links, pipes or devices."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def open_plain(path: Path) -> IO[bytes]:
    """Open a regular file to read it. Raises FileNotFoundError where there is none, or a link, a
    pipe or a device in its place."""
    try:
        # A pipe without a writer would block, so O_NONBLOCK, which a regular file ignores.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise missing(path) from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise missing(path)
    return os.fdopen(number, "rb")


def read_plain(path: Path) -> bytes:
    """What a regular file holds; nothing where there is none."""
    try:
        with open_plain(path) as file:
            return file.read()
    except FileNotFoundError:
        return b""


def missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "There is no plain file", str(path))


def remove_links(root: Path) -> list[str]:
    """Delete everything below `root` that leads elsewhere or is no file: symbolic links, further
    names of files, pipes, sockets, devices. Returns their names; nothing may run in there."""
    removed = []
    for path in everything_in(root):
        facts = path.lstat()
        is_one_file = stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1
        if not is_one_file and not stat.S_ISDIR(facts.st_mode):
            path.unlink()
            removed.append(str(path.relative_to(root)))
    return removed


def everything_in(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield Path(folder, name)
