"""Requests day by day as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.services.deployments.usage import DayTotals

HEIGHT = 48.0
WIDTH = 10.0


class Bar(NamedTuple):
    """A day's rectangle in a drawing of HEIGHT."""

    x: float
    y: float
    height: float
    title: str


def bars_of(days: Sequence[DayTotals]) -> list[Bar]:
    most = max((day.totals.requests for day in days), default=0)
    return [bar_of(number, day, most) for number, day in enumerate(days)]


def bar_of(number: int, day: DayTotals, most: int) -> Bar:
    """A day with one request among thousands is still seen."""
    count = day.totals.requests
    height = max(1.0, round(HEIGHT * count / most, 1)) if count else 0.0
    title = f"{day.day:%-d %b}: {count:,} request{'' if count == 1 else 's'}"
    return Bar(number * WIDTH, HEIGHT - height, height, title)
