"""Attempts at a run: begun by a worker, then lost, released or brought to an end."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest, Now
from pydantic import JsonValue

from jobs.models import ACTIVE, Run, Status
from jobs.services.transitions import move
from maxft_site.web.enqueue import JobSpec, enqueue_on_commit

QUEUE = "training"
MAX_IDLE_ATTEMPTS = 3
"""So many attempts in a row that end before a new step end the run."""

Error = dict[str, JsonValue]
S = Status


def training_job() -> JobSpec:
    """A job that says to a worker that a run waits: one a run. Which one the worker takes is
    decided when it does."""
    return JobSpec(queue=QUEUE, task="jobs.tasks.train", args=(), id=f"train-{uuid4()}")


def claim(run_id: int, *, worker: str, kind: str = "") -> Run | None:
    """Begin the next attempt at a waiting run; None where another worker was faster."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, status=S.QUEUED).first()
        if run is None:
            return None
        fresh: dict[str, Any] = {
            "attempt": run.attempt + 1,
            "idle_attempts": run.idle_attempts + 1,
            "started": Coalesce("started", Now()),
            "worker": worker,
            "device_kind": kind,
            "own_place": None,
            "waiting_for": "",
            "stop": "",
            "heartbeat": 0,
            "ingested": 0,
            "phase": "",
            "phases": [],
            "verdict": None,
            "findings": [],
        }
        if not move(run_id, to=S.STARTING, attempt=run.attempt, by=worker, changes=fresh):
            return None
        run.refresh_from_db()
    return run


def heartbeat(run_id: int, attempt: int) -> str | None:
    """Say that an attempt lives; what the user wants of it, None where it owns the run no more."""
    mine = Run.objects.filter(pk=run_id, attempt=attempt, status__in=ACTIVE)
    if not mine.update(heartbeat=F("heartbeat") + 1):
        return None
    return mine.values_list("stop", flat=True).first()


def lose(run_id: int, attempt: int, *, by: str, why: str) -> bool:
    """An attempt died. The run is queued again, unless attempt after attempt gets nowhere."""
    with transaction.atomic():
        run = owned(run_id, attempt)
        if run is None:
            return False
        if run.status in {S.STARTING, S.RUNNING, S.SAVING} and run.idle_attempts >= (
            MAX_IDLE_ATTEMPTS
        ):
            return fail(run_id, attempt, by=by, error=poison_pill(why))
        return leave(run, by=by, why=why)


def release(run_id: int, attempt: int, *, by: str, why: str) -> bool:
    """An attempt gave the run back because the machine wants to rest: no failure."""
    with transaction.atomic():
        run = owned(run_id, attempt)
        if run is None:
            return False
        Run.objects.filter(pk=run_id).update(idle_attempts=Greatest(F("idle_attempts") - 1, 0))
        return leave(run, by=by, why=why)


def owned(run_id: int, attempt: int) -> Run | None:
    """The run, locked, while `attempt` owns it."""
    mine = Run.objects.select_for_update().filter(pk=run_id, attempt=attempt, status__in=ACTIVE)
    return mine.first()


def leave(run: Run, *, by: str, why: str) -> bool:
    """Without a trainer a run goes where it was going, else back to the queue."""
    if run.status == S.CANCELLING:
        return move(run.pk, to=S.CANCELLED, attempt=run.attempt, by=by, why=why)
    changes: dict[str, Any] = {"waiting_for": why[:200]}
    if run.status == S.PAUSING:
        return move(run.pk, to=S.PAUSED, attempt=run.attempt, by=by, why=why, changes=changes)
    changes |= {"worker": "", "own_place": 0, "stop": ""}
    moved = move(run.pk, to=S.QUEUED, attempt=run.attempt, by=by, why=why, changes=changes)
    if moved:
        enqueue_on_commit(training_job())
    return moved


def succeed(run_id: int, attempt: int, *, by: str) -> bool:
    """All steps are done and the model is saved; states that went unseen are passed through."""
    for status in (S.RUNNING, S.SAVING):
        came_from = {S.STARTING, S.RUNNING}
        move(run_id, to=status, came_from=came_from, attempt=attempt, by=by)
    return move(run_id, to=S.SUCCEEDED, attempt=attempt, by=by)


def cancel(run_id: int, attempt: int, *, by: str, why: str = "") -> bool:
    """The trainer left because it was told to."""
    move(run_id, to=S.CANCELLING, attempt=attempt, by=by, why=why)
    return move(run_id, to=S.CANCELLED, attempt=attempt, by=by, why=why)


def pause(run_id: int, attempt: int, *, by: str, why: str = "") -> bool:
    """The trainer left with a checkpoint to go on from."""
    move(run_id, to=S.PAUSING, attempt=attempt, by=by, why=why)
    changes = {"waiting_for": why[:200]}
    return move(run_id, to=S.PAUSED, attempt=attempt, by=by, why=why, changes=changes)


def fail(run_id: int, attempt: int, *, by: str, error: Error) -> bool:
    """The run can't go on, and trying again would not help."""
    why = str(error["message"])
    return move(run_id, to=S.FAILED, attempt=attempt, by=by, why=why, changes={"error": error})


def poison_pill(why: str) -> Error:
    return {
        "code": "poison_pill",
        "message": f"{MAX_IDLE_ATTEMPTS} attempts in a row ended before a new step. "
        f"The last one: {why}",
        "hint": "Look at the end of the log, change what it complains about and retry the run.",
    }
