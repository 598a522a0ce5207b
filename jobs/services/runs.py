"""Run actions of a user: create, cancel, pause, resume. What comes after the end: `lifecycle/`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.models import ACTIVE, Run, Status, Transition
from jobs.services.models import register_base
from jobs.services.names import run_name
from jobs.services.queue.claims import enter_queue
from jobs.services.resolve import Resolved, resolve
from jobs.services.transitions import IllegalMoveError, move
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem

S = Status


class TooManyRunsError(FineTuneError):
    """Somebody has as many runs in the queue and at work as one person may have."""

    code = "too_many_runs"
    status = 429

    def __init__(self) -> None:
        super().__init__(
            f"You have {settings.MAX_WAITING_RUNS} runs that wait or work, as many as one may.",
            "Wait for one to end, or stop one.",
        )


class Later(NamedTuple):
    """What a run waits for before it is in turn."""

    after: Run | None = None
    """Another run of its owner's, from whose model it starts."""
    start_at: datetime | None = None


NOW = Later()


def create_run(
    *, owner: User, config: RunConfig, copy_of: Run | None = None, later: Later = NOW
) -> Run:
    """Save a run and queue it.

    Raises ConfigError where the dataset or the model can't be used by `owner`, or not together,
    and TooManyRunsError.
    """
    return save_run(resolve(config, owner), owner, copy_of=copy_of, later=later)


@transaction.atomic
def save_run(
    resolved: Resolved, owner: User, *, copy_of: Run | None, later: Later = NOW, **columns: Any
) -> Run:
    """Save a run whose names are resolved, and queue it."""
    config, model = resolved.config, resolved.model
    if model is not None and not model.is_mergeable:
        message = f"{model} is an adapter that can't be merged with its base: none lies on it."
        raise ConfigError([Problem("model.name", message, config.model.name, "a whole model")])
    model = model or register_base(owner=owner, name=config.model.name, provider=config.provider)
    require_place(owner)
    run = Run.objects.create(
        owner=owner,
        name=run_name(config, owner, resolved.version),
        config=config.model_dump(mode="json"),
        dataset=resolved.version,
        base_model=model,
        copy_of=copy_of,
        after=later.after,
        start_at=later.start_at,
        is_ready=later == NOW,
        queued_at=timezone.now(),
        **columns,
    )
    Transition.objects.create(run=run, to=run.status, attempt=0, by=owner.username)
    enter_queue(run)
    return run


def require_place(owner: User) -> None:
    """Raises TooManyRunsError. Within a transaction, which two requests at once can't both pass."""
    User.objects.select_for_update().get(pk=owner.pk)
    pending = Run.objects.filter(owner=owner, deleted=None, status__in=[S.QUEUED, *ACTIVE])
    if pending.count() >= settings.MAX_WAITING_RUNS:
        raise TooManyRunsError


def cancel_run(*, run: Run, by: User, save: bool) -> None:
    """Stop a run: at once where it waits, else as soon as its trainer has left.

    With `save` the model as it is then is kept. Stopping twice is no mistake.
    """
    with transaction.atomic():
        why = "Stopped." if not save else "Stopped; its model is to be kept."
        stop = Run.Stop.SAVE if save else Run.Stop.CANCEL
        if move(run.pk, to=S.CANCELLED, came_from={S.QUEUED, S.PAUSED}, by=by.username, why=why):
            return
        if move(run.pk, to=S.CANCELLING, by=by.username, why=why, changes={"stop": stop}):
            return
        again = Run.objects.filter(pk=run.pk, status=S.CANCELLING)
        # Impatience counts, a change of mind does not: a model half saved is no model.
        if again.exists() and (save or again.update(stop=Run.Stop.CANCEL)):
            return
    run.refresh_from_db()
    if run.status != S.CANCELLED:
        raise illegal(run, "be stopped", "A run that has ended stays so.")


def pause_run(*, run: Run, by: User) -> None:
    """Have a run leave its worker with a checkpoint, or leave the queue."""
    if move(run.pk, to=S.PAUSED, came_from={S.QUEUED}, by=by.username, why="Paused in the queue."):
        return
    changes = {"stop": Run.Stop.PAUSE}
    if not move(run.pk, to=S.PAUSING, by=by.username, why="Pause.", changes=changes):
        raise illegal(run, "be paused", "Only a run that waits or trains can.")


@transaction.atomic
def resume_run(*, run: Run, by: User) -> None:
    """Queue a paused run; it goes on from its last checkpoint."""
    require_place(run.owner)
    changes: dict[str, Any] = {"waiting_for": "", "idle_attempts": 0, "stop": ""}
    if not move(
        run.pk, to=S.QUEUED, came_from={S.PAUSED}, by=by.username, why="Resumed.", changes=changes
    ):
        raise illegal(run, "be resumed", "Only a paused run can.")
    enter_queue(run)


def illegal(run: Run, what: str, hint: str) -> IllegalMoveError:
    run.refresh_from_db()
    state = run.get_status_display().lower()
    return IllegalMoveError(f"Run {run.pk} is {state} and can't {what}.", hint)
