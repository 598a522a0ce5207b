"""Checkpoints that are whole or do not exist: staged, hashed, renamed, verified, pruned."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import JsonValue
from safetensors import SafetensorError

from maxaillm.dev.finetune.errors import CheckpointError, DiskFullError
from maxaillm.dev.finetune.run.folder import write_atomically

MANIFEST = "manifest.json"
STAGING = ".staging"
"""Where a checkpoint is written, beside the finished ones; what lies there never counts."""


class Checkpoint(NamedTuple):
    """A finished checkpoint: `facts` tell which run it belongs to."""

    folder: Path
    step: int
    facts: Mapping[str, JsonValue]
    files: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The checkpoint in `folder`, contents unchecked. Raises CheckpointError."""
        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            return cls(folder, manifest["step"], manifest["facts"], manifest["files"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{folder} is not a finished checkpoint: {error}.", "Choose another checkpoint."
            ) from None

    def verify(self) -> None:
        """Raises CheckpointError where a file is missing, altered or not in the manifest."""
        found = set(names_in(self.folder)) - {MANIFEST}
        odd = sorted(found.symmetric_difference(self.files))
        altered = odd or [
            name for name, digest in self.files.items() if sha256(self.folder / name) != digest
        ]
        if altered:
            raise CheckpointError(
                f"{self.folder.name} is damaged: {', '.join(altered)} missing or altered.",
                "Resume from an older checkpoint.",
            )


def commit(staged: Path, folder: Path, step: int, facts: Mapping[str, JsonValue]) -> Checkpoint:
    """Make the files in `staged` the checkpoint `folder`: manifest last, then one rename."""
    for path in staged.rglob("*"):
        sync(path)
    files = {name: sha256(staged / name) for name in names_in(staged)}
    manifest = {"step": step, "facts": dict(facts), "files": files}
    write_atomically(staged / MANIFEST, json.dumps(manifest, indent=1).encode())
    sync(staged)
    if folder.exists():
        shutil.rmtree(folder)
    staged.rename(folder)
    sync(folder.parent)
    return Checkpoint(folder, step, facts, files)


def names_in(folder: Path) -> list[str]:
    """All files below a folder, by their path within it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def newest_verified(
    folders: Iterable[Path], at_most: int | None = None
) -> tuple[Checkpoint | None, list[CheckpointError]]:
    """The newest whole checkpoint inside any of `folders`, and what was wrong with newer ones.

    Those after the step `at_most` are left alone.
    """
    found = [path for folder in folders if folder.is_dir() for path in folder.glob("step-*")]
    paths = [path for path in found if at_most is None or step_of(path) <= at_most]
    damaged: list[CheckpointError] = []
    for path in sorted(paths, key=step_of, reverse=True):
        try:
            checkpoint = Checkpoint.read(path)
            checkpoint.verify()
        except CheckpointError as error:
            damaged.append(error)
        else:
            return checkpoint, damaged
    return None, damaged


def newest_whole(folders: Iterable[Path], at_most: int) -> Checkpoint | None:
    """The newest one with a manifest, up to the step `at_most`; what it holds is not verified."""
    found = [folder / name_of(step) for folder in folders for step in checkpoints_in(folder)]
    for path in sorted(found, key=step_of, reverse=True):
        if step_of(path) <= at_most and (path / MANIFEST).is_file():
            return Checkpoint.read(path)
    return None


def checkpoints_in(folder: Path) -> list[int]:
    """The steps of which there are checkpoints."""
    return sorted(map(step_of, folder.glob("step-*")))


def prune(folder: Path, keep: int = 2, best_step: int | None = None) -> None:
    """Delete all but the newest `keep` checkpoints and the best one."""
    paths = sorted(folder.glob("step-*"), key=step_of, reverse=True)
    for path in paths[keep:]:
        if step_of(path) != best_step:
            shutil.rmtree(path)


def carry(step: int | None, source: Path, target: Path) -> None:
    """Have the checkpoint of a step beside those of an attempt that goes on; nothing where it is
    there, or was never. Its files are the same ones where the file system can do that."""
    name = name_of(step or 0)
    if not (source / name).is_dir() or (target / name).exists():
        return
    staged = target / f".{name}"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(source / name, staged, copy_function=link_or_copy)
    staged.rename(target / name)
    sync(target)


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def name_of(step: int) -> str:
    return f"step-{step:07d}"


def step_of(path: Path) -> int:
    digits = path.name.removeprefix("step-")
    return int(digits) if digits.isdecimal() else -1


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_space(folder: Path, needed: int) -> None:
    """Raises DiskFullError unless `needed` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise disk_full(f"{needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free.")


@contextmanager
def disk_full_said() -> Iterator[None]:
    """Turn what the libraries raise on a full disk into DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(str(error)) from error
        raise
    except (RuntimeError, SafetensorError) as error:  # torch.save and safetensors
        if "No space left" in str(error) or "PytorchStreamWriter failed" in str(error):
            raise disk_full("The disk is full.") from error
        raise


def disk_full(detail: str) -> DiskFullError:
    return DiskFullError(
        f"A checkpoint could not be written. {detail}",
        "Free space on the disk, then resume: the last whole checkpoint is kept.",
    )
