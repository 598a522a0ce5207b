"""Going on from a run that has ended: a new run whose first step follows on its last checkpoint.

An ended run stays ended, so that what it was judged by stays true. The new one has what the old one
told of the steps up to the checkpoint, as its attempt 0, and the checkpoint's own files: it is
whole without the old one, whose deletion takes nothing from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from jobs.models import Event, Run
from jobs.services.lifecycle.later import follow_to
from jobs.services.resolve import resolve
from jobs.services.runs import illegal, save_run
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.run.checkpoints import Checkpoint, carry, checkpoints_in, newest_whole
from maxaillm.dev.finetune.run.events import RunFolder
from maxaillm.dev.finetune.run.events.kinds import CheckpointEvent
from maxaillm.dev.finetune.run.events.payload import kinds_of_steps

AT_ONCE = 500


class NoCheckpointError(FineTuneError):
    """Nothing is left of a run that another one could go on from."""

    code = "no_checkpoint"
    status = 409

    def __init__(self, run: Run) -> None:
        super().__init__(
            f"Run {run.pk} has no whole checkpoint that one could go on from.",
            "Clone it: the copy begins anew.",
        )


def last_checkpoint(run: Run) -> Checkpoint | None:
    """The newest one by its manifest; its files are verified by who goes on from it."""
    saved = run.events.filter(kind=CheckpointEvent.kind).values_list("step", flat=True)
    last = max((step for step in saved if step is not None), default=0)
    folders = [run.attempt_folder(number).checkpoints for number in range(run.attempt + 1)]
    return newest_whole(folders, at_most=last)


def go_on(*, run: Run, by: User, config: RunConfig) -> Run:
    """A new run of `config` that follows on the last checkpoint of `run`.

    Raises IllegalMoveError where it has not ended, NoCheckpointError, and what `save_run` raises.
    """
    if not run.has_ended:
        raise illegal(run, "be gone on from", "Wait for its end, or stop it.")
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        raise NoCheckpointError(run)
    resolved = resolve(config, by, version=run.dataset, model=run.base_model)
    folder = uuid4()
    root = Path(settings.RUNS_DIR) / str(folder)
    try:
        take_checkpoints(checkpoint, RunFolder(root / "attempt-0"))
        with transaction.atomic():
            new = save_run(
                resolved,
                by,
                copy_of=run,
                folder=folder,
                start_step=checkpoint.step,
                step=checkpoint.step,
                metrics=run.metrics,
            )
            copy_events(run, new)
            follow_to(run, new)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return new


def take_checkpoints(last: Checkpoint, target: RunFolder) -> None:
    """That one, and the others beside it that are kept, such as the best one."""
    target.checkpoints.mkdir(mode=0o700, parents=True)
    for step in checkpoints_in(last.folder.parent):
        if step <= last.step:
            carry(step, last.folder.parent, target.checkpoints)


def copy_events(old: Run, new: Run) -> None:
    """What the old run has told of the steps that the new one builds on."""
    events = old.events.filter(kind__in=kinds_of_steps(), step__lte=new.start_step)
    rows = list(numbered(events.order_by("seq").iterator(), new))
    Event.objects.bulk_create(rows, batch_size=AT_ONCE)
    Run.objects.filter(pk=new.pk).update(last_seq=len(rows))


def numbered(events: Iterator[Event], run: Run) -> Iterator[Event]:
    for seq, event in enumerate(events, start=1):
        yield Event(
            run=run,
            seq=seq,
            attempt=0,
            kind=event.kind,
            step=event.step,
            time=event.time,
            data=event.data,
            key=event.key,
        )
