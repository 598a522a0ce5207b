"""Runs in the database without a trainer, and the journals that a trainer would write."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from datasets_app.models import Dataset, DatasetVersion
from jobs.models import LanguageModel, Run, Status
from jobs.services import attempts
from jobs.services.ingest import record_events
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.run.events import Event
from tests.stored_rows import stored_rows

STEPS = 6


def make_dataset(owner: User | None, **columns: Any) -> DatasetVersion:
    """A dataset with one version that is ready, its rows on disk."""
    dataset = Dataset.objects.create(owner=owner, name="questions")
    digest = stored_rows([{"text": "a b c"}])
    state = {"dataset": dataset, "status": "ready", "rows_sha256": digest}
    return DatasetVersion.objects.create(**state | columns)


def make_run(owner: User, **columns: Any) -> Run:
    version = make_dataset(owner)
    base, _ = LanguageModel.objects.get_or_create(owner=None, name="starter/chat", kind="base")
    config = RunConfig.parse(
        {"model": {"name": base.name}, "data": {"dataset": version.dataset_id}}
    )
    values: dict[str, Any] = {
        "owner": owner,
        "name": "first",
        "config": config.model_dump(mode="json"),
        "dataset": version,
        "base_model": base,
    }
    return Run.objects.create(**values | columns)


def claimed(run: Run) -> Run:
    taken = attempts.claim(run.pk, worker="worker-1")
    assert taken is not None
    return taken


def running(owner: User) -> Run:
    """A run whose first attempt has begun to train."""
    run = claimed(make_run(owner))
    record_events(run.pk, run.attempt, begin())
    return fresh(run)


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def event(seq: int, kind: Any, step: int | None = None, /, **data: Any) -> Event:
    return Event(seq=seq, kind=kind, step=step, time=1000.0 + seq, data=data)


def begin(seq: int = 1) -> list[Event]:
    return [
        event(seq, "stage", name="load"),
        event(seq + 1, "stage", name="train", total_steps=STEPS),
    ]


def loss(step: int) -> float:
    return 1 / step


def logs(seq: int, steps: range) -> list[Event]:
    return [event(seq + i, "log", step, loss=loss(step)) for i, step in enumerate(steps)]


def success(seq: int) -> list[Event]:
    return [
        event(seq, "stage", name="save"),
        event(seq + 1, "saved", folder="model", size_bytes=10, kind="adapter"),
        event(seq + 2, "succeeded", STEPS, metrics={"eval_loss": 0.5}),
    ]


def status_of(run: Run) -> Status:
    return Status(fresh(run).status)


def path_of(run: Run) -> list[str]:
    """The states that a run went through."""
    return [transition.to for transition in run.transitions.order_by("pk")]


def losses_of(run: Run) -> dict[int, float]:
    rows = run.events.filter(kind="log").order_by("step")
    return {row.step: row.data["loss"] for row in rows}
