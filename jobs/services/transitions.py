"""The one way in which a run changes its state: compare, set, and say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs import live
from jobs.models import ENDED, MOVES, Run, Status, Transition
from jobs.services import notifications
from maxaillm.dev.finetune.errors import FineTuneError


class IllegalMoveError(FineTuneError):
    """A run can't do this in the state it is in."""

    code = "illegal_move"
    status = 409


def move(
    run_id: int,
    *,
    to: Status,
    by: str,
    why: str = "",
    came_from: Collection[Status] | None = None,
    attempt: int | None = None,
    changes: Mapping[str, Any] | None = None,
) -> bool:
    """Move a run to `to` where MOVES allows it from its present state; else change nothing.

    `came_from` and `attempt` narrow that further, `changes` are columns set with the state.
    False says that the run was elsewhere: somebody was faster, or the move makes no sense.
    """
    sources = {status for status, targets in MOVES.items() if to in targets}
    if came_from is not None:
        sources &= set(came_from)
    with transaction.atomic():
        seen = Run.objects.select_for_update().filter(pk=run_id, status__in=sources).first()
        if seen is None or attempt not in {None, seen.attempt}:
            return False
        same = Run.objects.filter(pk=run_id, status=seen.status, attempt=seen.attempt)
        if not same.update(status=to, **dates(to), **what_is_left(seen, to), **(changes or {})):
            return False
        record(run_id, came_from=seen.status, to=to, by=by, why=why)
        notifications.tell_of_move(seen, to)
        transaction.on_commit(partial(live.announce, run_id, seen.last_seq + 1, seen.last_seq))
    return True


def dates(to: Status) -> dict[str, Any]:
    if to == Status.QUEUED:
        return {"queued_at": timezone.now(), "seconds_left": None}
    if to in ENDED:
        return {"ended": timezone.now(), "seconds_left": None}
    return {}


def what_is_left(run: Run, to: Status) -> dict[str, Any]:
    """A run that leaves its device needs as much as it said last."""
    is_leaving = to in {Status.QUEUED, Status.PAUSED} and run.seconds_left is not None
    return {"needed_seconds": run.seconds_left} if is_leaving else {}


def record(run_id: int, *, came_from: str, to: Status, by: str, why: str) -> None:
    """Note a change of state, in the transaction that made it."""
    attempt = Run.objects.values_list("attempt", flat=True).get(pk=run_id)
    Transition.objects.create(
        run_id=run_id, came_from=came_from, to=to, attempt=attempt, by=by[:160], why=why[:300]
    )
