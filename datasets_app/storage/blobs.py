"""Files that never change, under the SHA-256 of what they hold: equal files lie there once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

from django.conf import settings

from datasets_app.errors import file_errors_told

UNUSED_SECONDS = 24 * 3600
"""A file without an owner may be one whose owner is just being written down."""


def blob_path(digest: str) -> Path:
    return folder() / digest[:2] / digest


def folder() -> Path:
    return Path(settings.DATASETS_DIR) / "blobs"


def keep_blob(path: Path) -> str:
    """Move the file at `path` in, complete or not at all; gives its SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    place = blob_path(digest)
    with file_errors_told():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone():
            if place.exists():
                os.utime(place)
                path.unlink()
            else:
                path.chmod(0o400)
                move(path, place)
                os.utime(place)
    return digest


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else adds or removes files meanwhile: one is not removed that is just taken again."""
    with (folder() / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def move(path: Path, place: Path) -> None:
    """As one step; from another file system it is copied beside the place first."""
    if path.stat().st_dev != place.parent.stat().st_dev:
        copy = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copyfile(path, copy)
        copy.chmod(0o400)
        path.unlink()
        path = copy
    path.replace(place)


def remove_unused(used: Collection[str]) -> int:
    """Remove what `used` does not name and nobody wrote for a day; gives the number of files."""
    before = time() - UNUSED_SECONDS
    removed = 0
    for path in folder().glob("*/*"):
        if path.name not in used:
            with alone():
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
    return removed
