"""Deleting runs: hidden at once with their models, gone for good a week later."""

from __future__ import annotations

import shutil

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone

from datasets_app.services.deletion import KEPT
from jobs.models import ACTIVE, Export, LanguageModel, Run, Status
from jobs.services.engine_jobs import delete_export
from jobs.services.runs import illegal
from jobs.services.transitions import move
from maxaillm.dev.finetune.errors import FineTuneError

NAMED_RUNS = 5
S = Status


class RunInUseError(FineTuneError):
    """A run whose model others stand on."""

    code = "run_in_use"
    status = 409


def delete_run(*, run: Run, by: User) -> None:
    """Take a run and its model out of sight; its files go after KEPT.

    One that works must be stopped first; one that waits is. Refused while others train on its
    model, which are named.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=run.owner_id)
        require_unused(run)
        move(run.pk, to=S.CANCELLED, came_from={S.QUEUED, S.PAUSED}, by=by.username, why="Deleted.")
        idle = Run.objects.filter(pk=run.pk).exclude(status__in=ACTIVE)
        now = timezone.now()
        if not idle.update(deleted=now):
            raise illegal(run, "be deleted", "It is at work: stop it first.")
        LanguageModel.objects.filter(run=run, deleted=None).update(deleted=now)


def require_unused(run: Run) -> None:
    """Raises RunInUseError while a run that is there was, or will be, trained on its model."""
    followers = [str(follower) for follower in Run.objects.later().filter(after=run)]
    if followers:
        raise RunInUseError(
            f"Run {run.pk} can't be deleted: {named(followers)} will start from its model.",
            "Take them out of the queue, or let them start from something else, on their pages.",
        )
    users = [str(user) for user in Run.objects.filter(base_model__run=run, deleted=None)]
    if users:
        raise RunInUseError(
            f"The model of run {run.pk} is the base of {named(users)}.",
            "Delete these runs first; their models are nothing without it.",
        )


def named(runs: list[str]) -> str:
    more = f" and {len(runs) - NAMED_RUNS} more" if len(runs) > NAMED_RUNS else ""
    return f"{', '.join(runs[:NAMED_RUNS])}{more}"


def restore_run(*, run: Run) -> None:
    """Take a deletion back, while the files are there."""
    with transaction.atomic():
        if Run.objects.filter(pk=run.pk, purged=None).update(deleted=None):
            # one that was deleted before its run stays so
            LanguageModel.objects.filter(run=run, deleted=run.deleted).update(deleted=None)


def purge_runs() -> int:
    """Remove rows and files of what was deleted a week ago; gives the number of runs."""
    due = Run.objects.filter(deleted__lt=timezone.now() - KEPT, purged=None)
    return sum(purge_run(run=run) for run in due)


def purge_run(*, run: Run) -> bool:
    """Remove a deleted run for good; False where it was taken back meanwhile.

    Chats, and runs that were deleted later, may name its model: its row then stays, hidden.
    """
    deleted = Run.objects.filter(pk=run.pk, purged=None).exclude(deleted=None)
    if not deleted.update(purged=timezone.now(), dataset=None):
        return False
    run.events.all().delete()
    for export in Export.objects.filter(model__run=run):
        delete_export(export)
    try:
        with transaction.atomic():
            LanguageModel.objects.filter(run=run).delete()
            Run.objects.filter(pk=run.pk).delete()
    except (ProtectedError, RestrictedError):
        pass  # the row alone: nothing of it is shown, and no file is left
    shutil.rmtree(run.root, ignore_errors=True)
    return True
