"""How sure a metric is: an interval from resampled rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, Metric, statistics_of

CHUNK_COUNTS = 4_000_000
"""Row counts held at once: 32 MB."""


class Interval(NamedTuple):
    low: float
    high: float


def interval(
    metric: Metric,
    rows: Iterable[Any],
    *,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Where the metric lies with probability `level`, were other rows like these held out.

    The percentile method (Efron & Tibshirani 1993, chapter 13). A resample is how often each
    row is drawn, so that all of them are one matrix product with the rows' statistics. Rows
    are drawn whole: the tokens of a document are no independent evidence.
    """
    figures = resampled(metric, statistics_of(metric, rows), samples, np.random.default_rng(seed))
    tail = (1 - level) / 2
    low, high = np.quantile(figures, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(low), float(high))


def resampled(
    metric: Metric, statistics: FloatArray, samples: int, chance: np.random.Generator
) -> FloatArray:
    """The metric of each of `samples` sets, drawn with replacement and as large as the first."""
    rows = len(statistics)
    chunk = max(1, CHUNK_COUNTS // rows)
    even = np.full(rows, 1 / rows)
    figures = []
    for begin in range(0, samples, chunk):
        counts = chance.multinomial(rows, even, size=min(chunk, samples - begin))
        figures += [metric.figure(sums) for sums in counts @ statistics]
    return np.array(figures)
