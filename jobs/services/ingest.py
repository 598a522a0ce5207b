"""Ingestion of a journal into the database: fenced, each line once, each step once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Max

from jobs import live
from jobs.models import ACTIVE, Event, Run, Status
from jobs.services import attempts
from jobs.services.models import register_tuned, share_base
from jobs.services.progress import progress_of
from jobs.services.transitions import move
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.run.events.journal import Event as JournalEvent
from maxaillm.dev.finetune.run.events.kinds import (
    FailedEvent,
    LogEvent,
    SavedEvent,
    StageEvent,
    StoppedEvent,
    SucceededEvent,
    WarningEvent,
)
from maxaillm.dev.finetune.run.events.payload import kinds_of_steps, payload_class
from maxaillm.dev.finetune.run.folder import StopAction

WORKER_STOPPED = "The worker was stopped; the run goes on from its last checkpoint."
MADE_ROOM = (
    "It made room for somebody who has had less of this device; it goes on by itself from its "
    "checkpoint, when its turn comes."
)


class FencedError(FineTuneError):
    """The attempt owns the run no more: a newer one does, or the run has ended."""

    code = "fenced"


def record_events(run_id: int, attempt: int, events: Sequence[JournalEvent]) -> None:
    """Write journal lines of an attempt and all that follows from them, or nothing.

    Lines that are in the database already are left out, so that doing it twice does it once.
    Raises FencedError where the attempt no longer owns the run.
    """
    with transaction.atomic():
        run = attempts.owned(run_id, attempt)
        if run is None:
            raise FencedError(f"Attempt {attempt} no longer owns run {run_id}.")
        fresh = [event for event in events if event.seq > run.ingested]
        if not fresh:
            return
        rows = rows_of(run, fresh)
        changes = progress_of(run, fresh)
        if makes_new_step(run, fresh):
            changes["idle_attempts"] = 0
        last = run.last_seq + len(rows)
        mine = Run.objects.filter(pk=run_id, attempt=attempt, status__in=ACTIVE)
        if not mine.update(last_seq=last, ingested=fresh[-1].seq, **changes):
            raise FencedError(f"Attempt {attempt} no longer owns run {run_id}.")
        write(rows)
        for event in fresh:
            follow(run, event)
        transaction.on_commit(
            partial(live.announce, run_id, run.last_seq + 1, last, [as_dict(row) for row in rows])
        )


def warn(run_id: int, attempt: int, messages: Sequence[str]) -> None:
    """Add warnings of the site itself to what the trainer tells."""
    with transaction.atomic():
        run = attempts.owned(run_id, attempt)
        if run is None or not messages:
            return
        rows = [
            Event(
                run=run,
                seq=run.last_seq + number,
                attempt=attempt,
                kind=WarningEvent.kind,
                time=time.time(),
                data=WarningEvent(message=message, hint="").as_json(),
                key=f"{WarningEvent.kind}/{attempt}/site-{run.last_seq + number}",
            )
            for number, message in enumerate(messages, start=1)
        ]
        Event.objects.bulk_create(rows)
        Run.objects.filter(pk=run_id).update(last_seq=run.last_seq + len(rows))


def rows_of(run: Run, events: Iterable[JournalEvent]) -> list[Event]:
    """One row a key, the newest event of it, numbered on from the run's last number."""
    newest = {key_of(run.attempt, event): event for event in events}
    return [
        Event(
            run=run,
            seq=run.last_seq + number,
            attempt=run.attempt,
            kind=event.kind,
            step=event.step,
            time=event.time,
            data=event.data,
            key=key,
        )
        for number, (key, event) in enumerate(newest.items(), start=1)
    ]


def key_of(attempt: int, event: JournalEvent) -> str:
    if event.step is None or not payload_class(event.kind).belongs_to_step:
        return f"{event.kind}/{attempt}/{event.seq}"
    return f"{event.kind}:{event.step}{event.payload.row_suffix}"


def write(rows: Sequence[Event]) -> None:
    Event.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["run", "key"],
        update_fields=["seq", "attempt", "time", "data"],
    )


def makes_new_step(run: Run, events: Iterable[JournalEvent]) -> bool:
    """Whether a step is logged that no attempt has reached before."""
    reached = max((event.step or 0 for event in events if event.kind == LogEvent.kind), default=0)
    if not run.idle_attempts or not reached:
        return False
    logged = Event.objects.filter(run=run, kind=LogEvent.kind).aggregate(furthest=Max("step"))
    return reached > (logged["furthest"] or 0)


def follow(run: Run, event: JournalEvent) -> None:
    """Move the run where an event says that it is."""
    match event.payload:
        case StageEvent(name="train"):
            share_base(run.base_model)
            came_from = {Status.STARTING}
            move(run.pk, to=Status.RUNNING, came_from=came_from, attempt=run.attempt, by="trainer")
        case StageEvent(name="save"):
            came_from = {Status.RUNNING}
            move(run.pk, to=Status.SAVING, came_from=came_from, attempt=run.attempt, by="trainer")
        case FailedEvent() as failure:
            fail(run, failure)
        case SucceededEvent():
            prune(run, event.step)
            register(run)
            attempts.succeed(run.pk, run.attempt, by="trainer")
        case StoppedEvent(action=action):
            prune(run, event.step)
            stop(run, action)


def stop(run: Run, action: StopAction) -> None:
    """Bring the run to the state that it was asked for."""
    if action in {"cancel", "save"}:
        register(run)
        attempts.cancel(run.pk, run.attempt, by="trainer", why="Stopped as asked.")
    elif action == "pause":
        attempts.pause(run.pk, run.attempt, by="trainer", why="Paused as asked.")
    else:
        why = MADE_ROOM if run.stop == Run.Stop.ROOM else WORKER_STOPPED
        attempts.release(run.pk, run.attempt, by="trainer", why=why)


def fail(run: Run, failure: FailedEvent) -> None:
    if failure.code == "disk_full":
        # The last whole checkpoint is kept: with space on the disk, the run can go on.
        attempts.pause(run.pk, run.attempt, by="trainer", why=failure.message)
    else:
        attempts.fail(run.pk, run.attempt, by="trainer", error=failure.as_json())


def prune(run: Run, step: int | None) -> None:
    """Forget steps that only a lost attempt has made."""
    if step is not None:
        later = Event.objects.filter(run=run, step__gt=step, attempt__lt=run.attempt)
        later.filter(kind__in=kinds_of_steps()).delete()


def register(run: Run) -> None:
    """Give the model that this attempt saved a row, if it saved one."""
    row = Event.objects.filter(run=run, attempt=run.attempt, kind=SavedEvent.kind).last()
    if row and isinstance(saved := row.payload, SavedEvent):
        register_tuned(run=run, attempt=run.attempt, saved=saved)


def as_dict(row: Event) -> dict[str, Any]:
    """An event as pages and the API get it."""
    return {
        "seq": row.seq,
        "kind": row.kind,
        "step": row.step,
        "time": row.time,
        "data": row.data,
    }
