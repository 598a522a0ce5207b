"""Run actions of a user: create, cancel, pause, resume, retry, extend."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.models import ACTIVE, LanguageModel, Run, Status, Transition
from jobs.services.models import register_base
from jobs.services.names import run_name
from jobs.services.queue.claims import enter_queue
from jobs.services.resolve import resolve
from jobs.services.transitions import IllegalMoveError, move
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem
from maxaillm.dev.finetune.model_files.folder import HOW_TO_MERGE

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


def create_run(
    *, owner: User, config: RunConfig, copy_of: Run | None = None, draft: bool = False
) -> Run:
    """Save a run and, unless it is a draft, queue it.

    Raises ConfigError where the dataset or the model can't be used by `owner`, or not together,
    and TooManyRunsError.
    """
    resolved = resolve(config, owner)
    config = resolved.config
    if resolved.model is not None and resolved.model.kind == LanguageModel.Kind.ADAPTER:
        message = f"{resolved.model} is an adapter: it can't be tuned again. {HOW_TO_MERGE}"
        raise ConfigError([Problem("model.name", message, config.model.name, "a whole model")])
    model = resolved.model or register_base(
        owner=owner, name=config.model.name, provider=config.provider
    )
    with transaction.atomic():
        if not draft:
            require_place(owner)
        run = Run.objects.create(
            owner=owner,
            name=run_name(config, owner, resolved.version),
            config=config.model_dump(mode="json"),
            dataset=resolved.version,
            base_model=model,
            copy_of=copy_of,
            status=S.DRAFT if draft else S.QUEUED,
            queued_at=None if draft else timezone.now(),
        )
        Transition.objects.create(run=run, to=run.status, attempt=0, by=owner.username)
        if not draft:
            enter_queue(run)
    return run


def require_place(owner: User) -> None:
    """Raises TooManyRunsError. Within a transaction, which two requests at once can't both pass."""
    User.objects.select_for_update().get(pk=owner.pk)
    pending = Run.objects.filter(owner=owner, deleted=None, status__in=[S.QUEUED, *ACTIVE])
    if pending.count() >= settings.MAX_WAITING_RUNS:
        raise TooManyRunsError


@transaction.atomic
def queue_run(*, run: Run, by: User) -> None:
    """Send a draft to the queue."""
    require_place(run.owner)
    if not move(run.pk, to=S.QUEUED, came_from={S.DRAFT}, by=by.username):
        raise illegal(run, "be queued", "Only a draft can.")
    enter_queue(run)


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
        raise illegal(run, "be stopped", "A draft is deleted; a run that has ended stays so.")


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


def retry_run(*, run: Run, by: User) -> Run:
    """A new run with the configuration of one that has ended."""
    if not run.has_ended:
        raise illegal(run, "be tried again", "Wait for its end, or stop it.")
    return create_run(owner=by, config=run.parsed_config, copy_of=run)


def extend_run(*, run: Run, by: User, num_train_epochs: float) -> Run:
    """A new run as long as `num_train_epochs`.

    It begins anew: the schedule of the learning rate depends on the number of steps, so that
    going on from the old run's end would not be the longer run.
    """
    if not run.has_ended:
        raise illegal(run, "be extended", "Wait for its end, or stop it.")
    least = 0 if run.parsed_config.training.max_steps else run.epochs or 0
    if num_train_epochs <= least:
        message = "A run is extended to more epochs than it had."
        raise ConfigError(
            [Problem("num_train_epochs", message, num_train_epochs, f"above {least:g}")]
        )
    training = {"num_train_epochs": num_train_epochs, "max_steps": None}
    longer = {**run.config, "training": {**run.config["training"], **training}}
    return create_run(owner=by, config=RunConfig.parse(longer), copy_of=run)


def illegal(run: Run, what: str, hint: str) -> IllegalMoveError:
    run.refresh_from_db()
    state = run.get_status_display().lower()
    return IllegalMoveError(f"Run {run.pk} is {state} and can't {what}.", hint)
