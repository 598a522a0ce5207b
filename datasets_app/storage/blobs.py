"""Files that never change, under the SHA-256 of what they hold: equal files lie there once."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from time import time

from django.conf import settings
from filelock import FileLock

from datasets_app.errors import file_errors_told
from maxaillm.dev.finetune.processes.file_lock import file_lock

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
        with lock():
            if place.exists():
                os.utime(place)
                path.unlink()
            else:
                path.chmod(0o400)
                move(path, place)
                os.utime(place)
    return digest


def lock() -> FileLock:
    """Who adds or removes files holds it: none is removed that is just taken again."""
    return file_lock(folder() / ".lock")


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
            with lock():
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
    return removed
