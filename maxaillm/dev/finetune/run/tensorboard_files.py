"""TensorBoard's event files of a run, beside its journal: `tensorboard --logdir FOLDER` draws them.

They are written by tensorboardX, which needs numpy and protobuf alone; the package tensorboard is
for who looks at them, and brings a server. Tags are those of transformers' own callback: `train/…`
and `eval/…`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events.journal import Event
from maxaillm.dev.finetune.run.events.kinds import CheckpointEvent, EvalEvent, LogEvent
from maxaillm.dev.finetune.run.folder import RunFolder
from maxaillm.dev.finetune.run.torchrun import rank

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

Warn = Callable[[str, str], None]
"""Told a message and a next step."""
FLUSH_SECONDS = 10
NOT_CURVES = frozenset({"epoch", "tokens", "rows", "answered_rows", "seconds"})
"""Of an evaluation: what is no measure of the model."""


class TensorBoardFiles:
    """A listener of an attempt. Going on from a checkpoint, it takes over what was written up to
    there, and later steps take the place of those that were made before: no point is twice.

    The journal has all of it, so where the system refuses memory, a thread or the disk, `warn` says
    that there are no more of these files, and the run goes on.
    """

    def __init__(self, folder: RunFolder, warn: Warn, resume: Checkpoint | None = None) -> None:
        self.folder, self.warn, self.is_refused = folder.tensorboard, warn, False
        self.first_step = 0 if resume is None else resume.step + 1
        self.writer: SummaryWriter | None = None
        if resume is not None and rank() == 0:
            take_over(RunFolder(resume.folder.parent.parent).tensorboard, self.folder)

    def __call__(self, event: Event) -> None:
        if self.is_refused:
            return
        try:
            self.write(event)
        except (OSError, RuntimeError, MemoryError) as refusal:
            self.is_refused = True
            self.warn(f"TensorBoard's files end here: {refusal}.", "The run's own curves go on.")

    def write(self, event: Event) -> None:
        if event.kind in {LogEvent.kind, EvalEvent.kind} and event.step is not None:
            for tag, value in scalars(event).items():
                self.opened().add_scalar(tag, value, event.step, walltime=event.time)
        elif event.kind == CheckpointEvent.kind and self.writer is not None:
            self.writer.flush()  # who goes on from this checkpoint finds all steps before it

    def opened(self) -> SummaryWriter:
        if self.writer is None:
            from tensorboardX import SummaryWriter

            self.writer = SummaryWriter(
                str(self.folder),
                purge_step=self.first_step,
                flush_secs=FLUSH_SECONDS,
                # its names have whole seconds: of two within one, the later would replace the other
                filename_suffix=f".{self.first_step:08d}",
            )
        return self.writer

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def scalars(event: Event) -> dict[str, float]:
    """Tag -> value, of what is a number at a step."""
    numbers = event.payload.numbers()
    if event.kind == LogEvent.kind:
        return {f"train/{name}": value for name, value in numbers.items()}
    return {
        f"eval/{name.removeprefix('eval_')}": value
        for name, value in numbers.items()
        if name not in NOT_CURVES
    }


def take_over(earlier: Path, folder: Path) -> None:
    """Copy the files of the attempt that the checkpoint is of, where that had another folder."""
    if earlier.resolve() != folder.resolve() and earlier.is_dir():
        shutil.copytree(earlier, folder, dirs_exist_ok=True)
