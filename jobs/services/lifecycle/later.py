"""Runs that wait for a time or for another run's model: asked for, held, brought into turn.

Nothing is kept but what a run waits for. Whether that has come is asked of the database again and
again, so that no restart loses it, and the one statement that brings a run into turn does so once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs import live
from jobs.models import ENDED, Run, Status
from jobs.services.queue.claims import enter_queue
from jobs.services.runs import NOW, Later, create_run, illegal
from jobs.services.transitions import record
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError

S = Status
FARTHEST = timedelta(days=366)
DIVERGED = Q(after__verdict__isnull=False, after__verdict__code="diverged")
MAY_FOLLOW = Q(after=None) | (Q(after__status=S.SUCCEEDED, after__model__isnull=False) & ~DIVERGED)


class WaitError(FineTuneError):
    """What a run is to wait for can't be waited for."""

    code = "wait"
    status = 422


@transaction.atomic
def start(*, owner: User, config: RunConfig, later: Later = NOW) -> Run:
    """Save a run that is in turn at once, or once what it waits for has come.

    Raises WaitError, and what `create_run` raises.
    """
    check_time(later.start_at)
    if later.after is not None:
        User.objects.select_for_update().get(pk=owner.pk)  # or it could be deleted meanwhile
        before = Run.objects.visible_to(owner).filter(pk=later.after.pk).first()
        if before is None:
            raise WaitError("The run to wait for is not there any more.", "Choose another run.")
        check_predecessor(before)
        config = on_model_of(config, before)
        later = later._replace(after=before)
    run = create_run(owner=owner, config=config, later=later)
    if later.after is not None and not is_early(run) and leaves_model(later.after):
        release(run, by=owner.username)
    return run


def on_model_of(config: RunConfig, before: Run) -> RunConfig:
    """The configuration with the base of the run that it follows on: what its model is like is
    known before it is there."""
    model = config.model.model_copy(update={"name": before.config["model"]["name"]})
    return config.model_copy(update={"model": model})


def check_time(start_at: datetime | None) -> datetime | None:
    """Raises WaitError for a time that is over, or so far away that it is a slip."""
    if start_at is None:
        return None
    now = timezone.now()
    if start_at <= now:
        raise WaitError(
            f"{start_at:%Y-%m-%d %H:%M %Z} is over, so a run can't start then.",
            "Choose a time in the future, or leave it out: then it starts in its turn.",
        )
    if start_at > now + FARTHEST:
        raise WaitError(
            f"{start_at:%Y-%m-%d} is more than a year away.", "Choose a time within the year."
        )
    return start_at


def check_predecessor(before: Run, run: Run | None = None) -> Run:
    """Raises WaitError where no model is to come from `before`, or only from `run` itself."""
    circle = run and next((one for one in chain_before(before) if one.pk == run.pk), None)
    if circle is not None and run is not None:
        what = "itself" if before.pk == run.pk else f"run {before.pk}, which waits for it"
        raise WaitError(
            f"Run {run.pk} can't wait for {what}: in a circle none would ever start.",
            "Choose a run that does not wait for this one.",
        )
    if not before.parsed_config.tuning.makes_whole:
        raise WaitError(
            f"The adapter of run {before.pk} can't be merged with its base, so none starts from "
            "it.",
            "Choose a run with a method that merges, such as LoRA.",
        )
    if before.has_ended and not leaves_model(before):
        raise WaitError(
            f"Run {before.pk} has ended without a model to start from.", "Choose another run."
        )
    return before


def chain_before(run: Run | None) -> list[Run]:
    """A run and those that it waits for, the nearest first."""
    found: list[Run] = []
    while run is not None and run not in found:
        found.append(run)
        run = run.after
    return found


def leaves_model(run: Run) -> bool:
    """Whether one that has ended has a model to start from without asking."""
    is_lost = run.verdict is not None and run.verdict["code"] == "diverged"
    return run.status == S.SUCCEEDED and run.kept_model is not None and not is_lost


class Wait(NamedTuple):
    """Why a run is not in turn yet, in a sentence."""

    text: str
    is_held: bool = False
    """Whether it stays so until a person chooses."""
    may_use_model: bool = False
    """Whether what it waited for has left a model all the same."""


def wait_of(run: Run) -> Wait:
    """Of one that is queued and not ready."""
    before = run.after
    if before is None or leaves_model(before):
        return Wait("")
    if not before.has_ended:
        return Wait(f"Waits for run {before.pk}, whose model it starts from.")
    is_lost = before.verdict is not None and before.verdict["code"] == "diverged"
    ended = "diverged" if is_lost else {S.FAILED: "failed"}.get(S(before.status), "was stopped")
    has_model = hasattr(before, "model")
    kept = ", with a model of then" if has_model else " without a model"
    text = f"Held: run {before.pk}, whose model it starts from, {ended}{kept}."
    return Wait(text, is_held=True, may_use_model=has_model)


def release_due(by: str) -> int:
    """Bring into turn all runs for which everything has come; gives their number."""
    in_time = Q(start_at=None) | Q(start_at__lte=timezone.now())
    due = Run.objects.later().filter(in_time, MAY_FOLLOW)
    return sum(release(run, by=by) for run in due.select_related("owner", "after__model"))


@transaction.atomic
def release(run: Run, *, by: str) -> bool:
    """Bring a run into turn; False where somebody else has, or it has left the queue."""
    changes: dict[str, Any] = {"is_ready": True, "queued_at": timezone.now()}
    why = "Its time has come."
    if run.after is not None:
        model = run.after.model
        named = {**run.config["model"], "name": model.name}
        changes |= {"base_model": model, "config": run.config | {"model": named}}
        changes |= {"needed_seconds": None}
        why = f"It starts from the model of run {run.after_id}."
    if not Run.objects.later().filter(pk=run.pk).update(**changes):
        return False
    run.refresh_from_db()
    record(run.pk, came_from=S.QUEUED, to=S.QUEUED, by=by, why=why)
    enter_queue(run)
    tell(run)
    return True


def start_anyway(*, run: Run, by: User) -> None:
    """Let a held run start from the model that the other one left, whatever became of it.

    Raises WaitError where there is none.
    """
    require_later(run)
    if run.after is None or not hasattr(run.after, "model"):
        raise WaitError(
            f"There is no model for run {run.pk} to start from.",
            "Let it start from its base model, or wait for another run.",
        )
    if is_early(run):
        Run.objects.later().filter(pk=run.pk).update(
            after=None,
            base_model=run.after.model,
            config=run.config | {"model": {**run.config["model"], "name": run.after.model.name}},
        )
        tell(run)
    else:
        release(run, by=by.username)


def wait_for(*, run: Run, before: Run | None, by: User) -> None:
    """Have a run wait for another one's model; for none: it starts from its base model.

    Raises WaitError, IllegalMoveError where it is in turn or at work already.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=run.owner_id)  # two can't close a circle at once
        run.refresh_from_db()
        require_later(run)
        if before is not None:
            before.refresh_from_db()
            check_predecessor(before, run)
        Run.objects.later().filter(pk=run.pk).update(after=before)
        run.refresh_from_db()
        tell(run)
    release_due(by.username)


def start_when(*, run: Run, start_at: datetime | None, by: User) -> None:
    """Have a run that waits start at another time, or without waiting for one."""
    require_later(run)
    Run.objects.later().filter(pk=run.pk).update(start_at=check_time(start_at))
    tell(run)
    release_due(by.username)


def require_later(run: Run) -> None:
    if run.status != S.QUEUED or run.is_ready:
        raise illegal(run, "be made to wait for something else", "Only one that waits so can.")


def is_early(run: Run) -> bool:
    return run.start_at is not None and run.start_at > timezone.now()


def follow_to(old: Run, new: Run) -> None:
    """What waits for a run that has ended badly waits for the one that goes on from it."""
    if not leaves_model(old):
        Run.objects.later().filter(after=old, owner=new.owner).update(after=new)


def possible_predecessors(user: User) -> list[Run]:
    """Runs whose model another run may wait for: those that have not ended, newest first."""
    runs = Run.objects.visible_to(user).exclude(status__in=ENDED).order_by("-pk")
    return [run for run in runs[:100] if run.parsed_config.tuning.makes_whole]


def tell(run: Run) -> None:
    """Open pages look again."""
    transaction.on_commit(partial(live.announce, run.pk, run.last_seq + 1, run.last_seq))
