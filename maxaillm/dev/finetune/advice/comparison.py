"""Paired comparison: the difference between two models on the same rows, with its interval."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from maxaillm.dev.finetune.advice.figures import figure

FloatArray = NDArray[np.float64]
Figure = Callable[[FloatArray], float]
"""A metric of the rows whose statistics sum up to the argument."""

LEAST_ROWS = 10
"""With fewer, no interval of this kind holds what it promises."""
ROUGH_ROWS = 200
"""Up to here the interval of a mean loss is a little too narrow: lengths have long tails."""
SAMPLES = 1000
CHUNK_COUNTS = 4_000_000
"""Row counts held at once: 32 MB."""
Z = 1.959963984540054
"""Of the normal distribution, 97.5 %."""
MOST_RATIO = 1e6
"""Of an interval to its gain: beyond it no number of rows is worth telling."""
DECIDING = (1 + 0.8416 / Z) ** 2
"""How many times more rows are needed to be right in four of five tries (power 80 %)."""


class Judged(NamedTuple):
    """A metric by which models are compared."""

    name: str
    label: str
    higher_is_better: bool
    is_share: bool
    """Whether it runs from 0 to 1, and people read it in percent."""


class Comparison(BaseModel):
    """One metric of a tuned model and of its base on the same rows.

    `gain` counts upwards where the tuned model is better, whatever the metric's direction, and
    lies between `low` and `high` with 95 % probability, were other rows like these held out.
    """

    model_config = ConfigDict(frozen=True)

    metric: str
    label: str
    is_share: bool
    higher_is_better: bool
    base: float
    tuned: float
    gain: float
    low: float | None = Field(None, description="None: too few rows for an interval.")
    high: float | None = None
    rows: int
    won: int | None = Field(None, description="Rows on which the tuned model is better.")
    lost: int | None = None
    largest: float | None = Field(
        None, description="The most by which a single row's own figure differs."
    )

    @property
    def scale(self) -> float:
        """What a gain is a part of: the base's own figure, or the whole range of a share."""
        return 1.0 if self.is_share else abs(self.base)

    @property
    def rows_to_decide(self) -> int | None:
        """About how many rows would tell the two apart; None where that can't be told."""
        if self.low is None or self.high is None or not self.gain:
            return None
        width = (self.high - self.low) / 2
        return round(self.rows * DECIDING * min(width / abs(self.gain), MOST_RATIO) ** 2)

    def written(self, value: float) -> str:
        """A value of the metric: `0.412`, `91.0 %`."""
        return f"{100 * value:.1f} %" if self.is_share else figure(value)

    def signed(self, value: float) -> str:
        """A gain or a loss of the metric: `+0.44`, `−9.0 points`."""
        return f"{'−' if value < 0 else '+'}{self.distance(value)}"

    def distance(self, value: float) -> str:
        """A difference of the metric without its sign: `0.44`, `9.0 points`."""
        return f"{abs(100 * value):.1f} points" if self.is_share else figure(abs(value), 2)


def compare(
    judged: Judged, of_sums: Figure, base: FloatArray, tuned: FloatArray
) -> Comparison | None:
    """Two models by one metric; `base`, `tuned`: [rows, statistics], the same rows in the same
    order. None where a figure is no number.

    The interval is the point ± t times the bootstrap's error, rows drawn whole and both models
    together; of right-or-wrong metrics it is that of Bonett and Price (2012), which is never of
    width nought.
    """
    sign = 1 if judged.higher_is_better else -1
    with np.errstate(all="ignore"):
        was, now = of_sums(base.sum(axis=0)), of_sums(tuned.sum(axis=0))
    if not (isfinite(was) and isfinite(now)):
        return None
    rows, gain = len(base), sign * (now - was)
    by_row = sign * row_differences(base, tuned)
    low, high = interval(of_sums, base, tuned, sign)
    return Comparison(
        metric=judged.name,
        label=judged.label,
        is_share=judged.is_share,
        higher_is_better=judged.higher_is_better,
        base=was,
        tuned=now,
        gain=gain,
        low=low,
        high=high,
        rows=rows,
        won=int((by_row > 0).sum()) if len(by_row) else None,
        lost=int((by_row < 0).sum()) if len(by_row) else None,
        largest=float(np.abs(by_row).max()) if len(by_row) else None,
    )


def row_differences(base: FloatArray, tuned: FloatArray) -> FloatArray:
    """Tuned minus base of each row alone, where a metric is a mean (sum, count); else none."""
    if base.shape[1] != 2:
        return np.empty(0)
    return tuned[:, 0] / tuned[:, 1] - base[:, 0] / base[:, 1]


def interval(
    of_sums: Figure, base: FloatArray, tuned: FloatArray, sign: int
) -> tuple[float | None, float | None]:
    rows = len(base)
    if rows < LEAST_ROWS:
        return None, None
    if is_right_or_wrong(base) and is_right_or_wrong(tuned):
        return bonett_price(sign * (tuned[:, 0] - base[:, 0]))
    gain = sign * (of_sums(tuned.sum(axis=0)) - of_sums(base.sum(axis=0)))
    drawn = sign * resampled_differences(of_sums, base, tuned)
    error = float(drawn.std(ddof=1)) * sqrt(rows / (rows - 1)) * t_quantile(rows - 1)
    return (gain - error, gain + error) if isfinite(error) else (None, None)


def is_right_or_wrong(statistics: FloatArray) -> bool:
    """Whether each row adds one try, and a hit or none."""
    return bool(
        statistics.shape[1] == 2
        and (statistics[:, 1] == 1).all()
        and np.isin(statistics[:, 0], (0, 1)).all()
    )


def bonett_price(differences: FloatArray) -> tuple[float, float]:
    """Interval of a difference of paired shares; `differences`: 1 won, -1 lost, 0 tied."""
    rows = len(differences) + 2
    won, lost = (((differences == side).sum() + 1) / rows for side in (1, -1))
    error = Z * sqrt((won + lost - (won - lost) ** 2) / rows)
    return float(won - lost - error), float(won - lost + error)


def resampled_differences(of_sums: Figure, base: FloatArray, tuned: FloatArray) -> FloatArray:
    """Tuned minus base of SAMPLES sets of rows, drawn with replacement, for both the same."""
    rows, chance = len(base), np.random.default_rng(0)
    chunk, even = max(1, CHUNK_COUNTS // rows), np.full(rows, 1 / rows)
    found: list[float] = []
    for begin in range(0, SAMPLES, chunk):
        counts = chance.multinomial(rows, even, size=min(chunk, SAMPLES - begin))
        pairs = zip(counts @ base, counts @ tuned, strict=True)
        found += [of_sums(after) - of_sums(before) for before, after in pairs]
    return np.array(found)


def t_quantile(freedom: int) -> float:
    """97.5 % of Student's t, by the expansion in 1/freedom (Abramowitz & Stegun 26.7.5); right to
    three decimals from nine degrees of freedom on."""
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
    )
    return Z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))
