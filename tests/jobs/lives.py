"""Runs that have ended, with what they left: checkpoints on the disk, curves, a model."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from jobs.models import LanguageModel, Run
from jobs.services.ingest import record_events
from maxaillm.dev.finetune.run import checkpoints
from tests.jobs.runs import STEPS, begin, claimed, event, fresh, make_run


def ended(owner: User, status: str = "succeeded", *, saved_at: int = STEPS, **columns: Any) -> Run:
    """A run of 6 steps, 3 an epoch, with a checkpoint of the step `saved_at` (0: none) and, where
    it succeeded, with a model."""
    run = claimed(make_run(owner))
    record_events(run.pk, run.attempt, [*begin(), *story(saved_at)])
    if saved_at:
        save(run, saved_at)
    values = {"status": status, "step": STEPS, "total_steps": STEPS} | columns
    Run.objects.filter(pk=run.pk).update(**values)
    if status == "succeeded":
        leave_model(run)
    return fresh(run)


def story(saved_at: int) -> list[Any]:
    logged = [
        event(2 + step, "log", step, loss=1 / step, epoch=step / 3, learning_rate=1e-4)
        for step in range(1, STEPS + 1)
    ]
    name = checkpoints.name_of(saved_at)
    saved = {"folder": f"checkpoints/{name}", "size_bytes": 7, "best": False}
    return [*logged, event(20, "checkpoint", saved_at, **saved)] if saved_at else logged


def save(run: Run, step: int) -> None:
    """A checkpoint that is whole, with one file."""
    folder = run.attempt_folder(run.attempt).checkpoints
    staged = folder / "staged"
    staged.mkdir(parents=True)
    (staged / "weights").write_bytes(b"weights")
    checkpoints.commit(staged, folder / checkpoints.name_of(step), step, {})


def leave_model(run: Run, kind: str = "adapter") -> LanguageModel:
    return LanguageModel.objects.create(
        owner=run.owner, name=f"{run.name} of {run.pk}", kind=kind, base=run.base_model, run=run,
        attempt=run.attempt,
    )  # fmt: skip
