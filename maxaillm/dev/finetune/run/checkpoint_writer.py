"""Checkpoints made whole beside the training: a thread forces them to disk, hashes and renames."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pydantic import JsonValue

from maxaillm.dev.finetune.run import checkpoints
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events.kinds import CheckpointEvent

LOWEST_PRIORITY = 19


class Staged(NamedTuple):
    """Files of a checkpoint as the step left them, not yet forced to disk."""

    folder: Path
    step: int
    best_step: int | None
    """The best step so far, which is never pruned."""


class CheckpointWriter:
    """Commits staged checkpoints one at a time while the training goes on.

    What is staged lies in the system's page cache. That is a copy of the state in memory as good
    as one of tensors and cheaper to make, and where memory is short the system itself makes the
    writer wait. What takes long, the disk and the hashes, happens in the thread. The journal is
    told by whoever asks here, not by the thread, and only once a checkpoint is whole.

    As a context: leaving it, by an exception too, waits for what is under way.
    """

    def __init__(self, attempt: Attempt, facts: Mapping[str, JsonValue], keep: int) -> None:
        self.attempt, self.facts, self.keep = attempt, facts, keep
        self.folder = attempt.folder.checkpoints
        self.thread = ThreadPoolExecutor(1, "checkpoint", initializer=give_way)
        self.pending: tuple[Staged, Future[CheckpointEvent]] | None = None

    def commit(self, staged: Staged) -> None:
        """Begin to make what is staged a checkpoint, after the one before it is whole. Where the
        system refuses a thread, for memory as a rule, it is whole when this returns."""
        self.wait()
        try:
            self.pending = staged, self.thread.submit(self.make_whole, staged)
        except RuntimeError:
            self.thread.shutdown(cancel_futures=True)  # and each later one is made here, too
            self.attempt.emit(self.make_whole(staged), staged.step)

    def make_whole(self, staged: Staged) -> CheckpointEvent:
        folder = self.folder / checkpoints.name_of(staged.step)
        saved = checkpoints.commit(staged.folder, folder, staged.step, self.facts)
        checkpoints.prune(self.folder, self.keep, staged.best_step)
        return CheckpointEvent(
            folder=str(saved.folder.relative_to(self.attempt.folder.root)),
            size_bytes=checkpoints.size_bytes(saved.folder),
            best=staged.best_step == staged.step,
        )

    def settle(self) -> None:
        """Tell of the checkpoint under way where it is whole by now; raise what has hindered it."""
        if self.pending and self.pending[1].done():
            self.wait()

    def wait(self) -> None:
        """Until the checkpoint under way, if one is, is whole; raise what has hindered it."""
        if self.pending:
            (staged, event), self.pending = self.pending, None
            self.attempt.emit(event.result(), staged.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """An exception that ends the training goes on; what hinders the save then is a warning."""
        self.thread.shutdown()
        hindered = self.pending[1].exception() if self.pending else None
        if error is None or hindered is None:
            self.wait()
        elif self.pending:
            step = self.pending[0].step
            self.attempt.warn(f"The checkpoint of step {step:,} could not be written: {hindered}")


def give_way() -> None:
    """Leave the processor to the training: its threads wait for each other, so that one which is
    held up holds up all. Only Linux knows a priority of a thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
