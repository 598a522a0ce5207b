"""Order of the queue: a user's own runs among themselves, and what a superuser puts first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from jobs.models import Run, Status
from jobs.services.transitions import IllegalMoveError
from maxaillm.dev.finetune.errors import FineTuneError

FIRST = 1
"""The priority of a run that a superuser has put first."""


class StaleOrderError(FineTuneError):
    """The order was changed, or a run has left it, since somebody looked at it."""

    code = "stale_order"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "The order of the queue has changed since you looked at it, so nothing was moved.",
            "Look at it again, then move the run.",
        )


def own_order(owner: User | int) -> list[int]:
    """A user's waiting runs, in their order."""
    return list(Run.objects.waiting().filter(owner=owner).values_list("pk", flat=True))


def version_of(order: Sequence[int]) -> str:
    """Names an order: two lists of runs have the same one only if they are equal."""
    return hashlib.sha256(repr(list(order)).encode()).hexdigest()[:16]


def locked_order(owner: User, version: str | None) -> list[int]:
    """The order, which nobody else changes until the transaction ends.

    Raises StaleOrderError where it is not that of `version`.
    """
    User.objects.select_for_update().get(pk=owner.pk)
    order = own_order(owner)
    if version is not None and version != version_of(order):
        raise StaleOrderError
    return order


@transaction.atomic
def reorder(*, owner: User, runs: Sequence[int], version: str | None) -> list[int]:
    """Put all waiting runs of a user in this order. Raises StaleOrderError."""
    order = locked_order(owner, version)
    if sorted(runs) != sorted(order):
        raise StaleOrderError
    write(runs)
    return own_order(owner)


@transaction.atomic
def move_before(*, run: Run, before: int | None, version: str | None) -> list[int]:
    """Let a run wait before another one of its owner, or behind all.

    Raises StaleOrderError, IllegalMoveError where one of them does not wait.
    """
    order = locked_order(run.owner, version)
    if run.pk not in order:
        raise not_waiting(run)
    rest = [pk for pk in order if pk != run.pk]
    if before is not None and before not in rest:
        raise StaleOrderError
    place = len(rest) if before is None else rest.index(before)
    write([*rest[:place], run.pk, *rest[place:]])
    return own_order(run.owner)


def step(*, run: Run, by: int, version: str | None) -> list[int]:
    """Move a run up (-1) or down (1) among its owner's; at the end of the list it stays."""
    order = own_order(run.owner_id)
    if run.pk not in order:
        raise not_waiting(run)
    rest = [pk for pk in order if pk != run.pk]
    place = max(0, order.index(run.pk) + by)
    before = rest[place] if place < len(rest) else None
    return move_before(run=run, before=before, version=version or version_of(order))


def write(order: Sequence[int]) -> None:
    places = {pk: place for place, pk in enumerate(order, start=1)}
    runs = list(Run.objects.filter(pk__in=places, status=Status.QUEUED).only("pk"))
    for run in runs:
        run.own_place = places[run.pk]
    Run.objects.bulk_update(runs, ["own_place"])


def put_first(*, run: Run, by: User, is_first: bool) -> None:
    """Let a run go before everybody's, or in its turn again; for superusers.

    Raises PermissionDenied, IllegalMoveError where the run does not wait.
    """
    if not by.is_superuser:
        raise PermissionDenied
    priority = FIRST if is_first else 0
    waiting = Run.objects.filter(pk=run.pk, status=Status.QUEUED)
    if not waiting.update(priority=priority):
        raise not_waiting(run)


def not_waiting(run: Run) -> IllegalMoveError:
    run.refresh_from_db()
    state = run.get_status_display().lower()
    return IllegalMoveError(
        f"Run {run.pk} is {state} and has no place in the queue.", "Only runs that wait have one."
    )
