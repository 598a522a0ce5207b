"""Time series of a run's metric, downsampled so that spikes and gaps stay."""

from __future__ import annotations

from itertools import groupby
from math import ceil, isfinite
from typing import NamedTuple

from jobs.models import Event, Run
from maxaillm.dev.finetune.run.events.run_metrics import find_metric

MAX_POINTS = 2000


class Point(NamedTuple):
    """A value where the run stood: by step, epoch, tokens and clock."""

    step: int
    value: float | None
    """None is a gap: the value was no number."""
    epoch: float | None
    tokens: float | None
    time: float


def read_series(run: Run | int, metric: str, max_points: int = MAX_POINTS) -> list[Point]:
    """The metric's points in order of step, at most `max_points`."""
    found = find_metric(metric)
    if found is None:
        return []
    rows = Event.objects.filter(run=run, kind=found.kind, step__isnull=False).order_by("step")
    if found.is_sparse:
        rows = rows.filter(data__has_key=metric)
    columns = ("step", f"data__{metric}", "data__epoch", "data__tokens", "time")
    points = [
        Point(step, number(value), number(epoch), number(tokens), time)
        for step, value, epoch, tokens, time in rows.values_list(*columns).iterator(2000)
    ]
    return downsample(points, max_points)


def number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return value


def downsample(points: list[Point], max_points: int) -> list[Point]:
    """At most `max_points`: of each bucket its lowest and its highest, and a gap where one was."""
    if len(points) <= max_points:
        return points
    width = ceil(len(points) / max(1, (max_points - 2) // 3))
    inner = points[1:-1]
    kept = [points[0]]
    for start in range(0, len(inner), width):
        kept += extremes(inner[start : start + width])
    return [*kept, points[-1]]


def extremes(bucket: list[Point]) -> list[Point]:
    values = [point for point in bucket if point.value is not None]
    gaps = [point for point in bucket if point.value is None][:1]
    if not values:
        return gaps
    low, high = min(values, key=lambda p: p.value or 0), max(values, key=lambda p: p.value or 0)
    ordered = sorted((low, high, *gaps), key=lambda point: point.step)
    return [next(same) for _, same in groupby(ordered, key=lambda point: point.step)]


def columns_of(points: list[Point]) -> dict[str, list[float | None]]:
    """Point by point as columns, rounded to what a screen can show: small on the wire."""
    return {
        "step": [point.step for point in points],
        "value": [rounded(point.value) for point in points],
        "epoch": [rounded(point.epoch) for point in points],
        "tokens": [point.tokens for point in points],
        "time": [round(point.time, 1) for point in points],
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
