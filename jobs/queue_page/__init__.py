"""What the page Queue and its API show: lanes, what waits and why, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import QuerySet

from jobs.models import Run
from jobs.selectors import SHOWN_WITH
from jobs.services.queue.forecast import Expected, Planned, forecast
from jobs.services.queue.kinds import KINDS
from jobs.services.queue.order import own_order, version_of

HOURS_AHEAD = 3


class Lane(NamedTuple):
    """The devices of one kind: their workers, and what runs there."""

    kind: str
    name: str
    workers: int
    running: list[Run]
    """Of those within the reader's reach."""
    others: int
    """Runs of other people there."""


class WaitingRow(NamedTuple):
    run: Run
    expected: Expected
    is_own: bool
    """Whether the reader may order it among their own."""
    is_first: bool
    is_last: bool


class QueueState(NamedTuple):
    lanes: list[Lane]
    waiting: list[int]
    """The runs that the reader sees, in their order."""
    others: int
    """Waiting runs of other people, which the reader does not see."""
    expected: dict[int, Expected]
    own_order: list[int]
    planned: list[Planned]
    """What the devices are to do in the hours that the page shows."""

    @property
    def version(self) -> str:
        """Names the order of the reader's own runs: who moves one says which order they saw."""
        return version_of(self.own_order)


def queue_state(user: User, devices: Mapping[str, int] | None) -> QueueState:
    """Of a superuser everybody's runs by their turn, else one's own in the order that one gave."""
    foretold, order = forecast(devices, ahead=HOURS_AHEAD * 3600), own_order(user)
    expected = foretold.expected
    waiting = [run for run in order if run in expected]
    if user.is_superuser:
        waiting = sorted(expected, key=lambda run: expected[run].place)
    at_hand = Run.objects.within_reach_of(user).select_related("owner", *SHOWN_WITH)
    lanes = lanes_of(at_hand, devices or {})
    return QueueState(
        lanes, waiting, len(expected) - len(waiting), expected, order, foretold.planned
    )


def rows_of(shown: Sequence[int], user: User, state: QueueState) -> list[WaitingRow]:
    """The runs of a part of the list; what has left the queue meanwhile is left out."""
    found = Run.objects.waiting().within_reach_of(user).select_related("owner").in_bulk(shown)
    return [
        WaitingRow(
            found[run],
            state.expected[run],
            found[run].owner_id == user.pk,
            is_first=state.own_order[:1] == [run],
            is_last=state.own_order[-1:] == [run],
        )
        for run in shown
        if run in found
    ]


def lanes_of(at_hand: QuerySet[Run], devices: Mapping[str, int]) -> list[Lane]:
    """One a kind of device that has workers or runs."""
    everybody = list(Run.objects.active().values_list("device_kind", flat=True))
    running = list(at_hand.filter(pk__in=Run.objects.active().values("pk")).order_by("pk"))
    lanes = []
    for kind in dict.fromkeys([*KINDS, *everybody]):
        mine = [run for run in running if run.device_kind == kind]
        if devices.get(kind) or kind in everybody:
            name = KINDS.get(kind, "Device")
            others = everybody.count(kind) - len(mine)
            lanes.append(Lane(kind, name, devices.get(kind, 0), mine, others))
    return lanes
