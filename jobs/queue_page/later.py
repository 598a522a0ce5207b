"""Runs that are not in turn yet: when they will be, or what holds them; and one run's place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services.lifecycle.later import Wait, is_early, possible_predecessors, wait_of
from jobs.services.queue.forecast import foretell


class LaterRow(NamedTuple):
    run: Run
    wait: Wait
    start_at: datetime | None
    """Where that is still to come."""


class Place(NamedTuple):
    """Where a queued run stands, in words and figures."""

    position: int | None
    why: str
    expected_start: datetime | None
    held: bool


def later_rows(user: User) -> list[LaterRow]:
    """Those within the reach of `user`: first what is held, then by their time."""
    runs = Run.objects.later().within_reach_of(user).select_related("owner", "after__model")
    rows = [row_of(run) for run in runs.order_by("start_at", "pk")]
    return sorted(rows, key=lambda row: not row.wait.is_held)


def row_of(run: Run) -> LaterRow:
    return LaterRow(run, wait_of(run), run.start_at if is_early(run) else None)


def place_of(run: Run, devices: Mapping[str, int] | None) -> Place | None:
    """None for one that is not queued. `devices`: kind -> how many workers are up."""
    if run.status != Status.QUEUED:
        return None
    if not run.is_ready:
        row = row_of(run)
        time = f"Starts not before {row.start_at:%Y-%m-%d %H:%M %Z}." if row.start_at else ""
        words = " ".join(filter(None, [row.wait.text, time])) or "Comes into turn in a moment."
        return Place(None, words, row.start_at if not run.after else None, row.wait.is_held)
    expected = foretell(devices).get(run.pk)
    return Place(expected.place, expected.why, expected.start, held=False) if expected else None


def others_to_wait_for(run: Run) -> list[Run]:
    """Runs of its owner's that a waiting run may wait for instead."""
    found = possible_predecessors(run.owner)
    return [other for other in found if other.pk not in {run.pk, run.after_id}]
