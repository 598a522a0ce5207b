"""Time series of a run's metric, thinned so that spikes and gaps stay."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.models import Run
from jobs.run_page.columns import STORE, Columns, Numbers
from maxaillm.dev.finetune.run.events.run_metrics import RunMetric, find_metric

MAX_POINTS = 2000
ALL_POINTS = 10_000_000
Places = NDArray[np.int64]


class Point(NamedTuple):
    """A value where the run stood: by step, epoch, tokens and clock."""

    step: int
    value: float | None
    """None is a gap: the value was no number."""
    epoch: float | None
    tokens: int | None
    time: float


class Window(NamedTuple):
    """The steps that are looked at, both ends included; None is as far as there are any."""

    low: int | None = None
    high: int | None = None


WHOLE = Window()


def read_series(
    run: Run | int, metric: str, max_points: int = MAX_POINTS, window: Window = WHOLE
) -> list[Point]:
    """The metric's points in order of step, at most `max_points`."""
    found = find_metric(metric)
    if found is None:
        return []
    columns = STORE.columns(run, found.kind)
    places = places_of(columns, found, window)
    values = columns.figure(metric)
    kept = places[thinned(values[places], max_points)]
    shown, epochs, tokens = (
        plain(column[kept])
        for column in (values, columns.figure("epoch"), columns.figure("tokens"))
    )
    counts = (None if value is None else int(value) for value in tokens)
    steps, times = columns.step[kept].tolist(), columns.time[kept].tolist()
    return list(map(Point, steps, shown, epochs, counts, times))


def places_of(columns: Columns, metric: RunMetric, window: Window) -> Places:
    """Where a metric stands in its columns; one that is measured now and then, where it was."""
    start = 0 if window.low is None else np.searchsorted(columns.step, window.low, "left")
    end = len(columns.step)
    if window.high is not None:
        end = int(np.searchsorted(columns.step, window.high, "right"))
    places = np.arange(start, end)
    return places[columns.has(metric.name)[places]] if metric.is_sparse else places


def plain(values: Numbers) -> list[Any]:
    """NaN is None."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124


def thinned(values: Numbers, max_points: int) -> Places:
    """Places of at most `max_points`: the ends, and of each bucket its lowest, its highest and a
    gap where one was.

    Libraries that thin curves (tsdownsample, lttbc) know no gaps; a diverged run is one.
    """
    size = len(values)
    if size <= max_points:
        return np.arange(size)
    buckets = max(1, (max_points - 2) // 3)
    width = -(-(size - 2) // buckets)
    filled = np.full(-(-(size - 2) // width) * width, -1)
    filled[: size - 2] = np.arange(1, size - 1)
    places = filled.reshape(-1, width)
    inside = np.where(places < 0, np.inf, values[places])  # what fills up is no gap
    is_number = np.isfinite(inside)
    low = np.where(is_number, inside, np.inf).argmin(axis=1)
    high = np.where(is_number, inside, -np.inf).argmax(axis=1)
    gap = np.isnan(inside)
    rows = np.arange(len(places))
    some, none = is_number.any(axis=1), gap.any(axis=1)
    kept = [
        places[rows[some], low[some]],
        places[rows[some], high[some]],
        places[rows[none], gap.argmax(axis=1)[none]],
    ]
    return np.unique(np.concatenate([[0], *kept, [size - 1]]))


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
