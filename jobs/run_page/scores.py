"""What a model was measured by, in the words and the units of its metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from maxaillm.dev.finetune.metrics import metrics

LOSS = "eval_loss"


class Score(NamedTuple):
    """A figure for people; `low` and `high` bound it with 95 % probability, where measured."""

    label: str
    value: float
    low: float | None
    high: float | None
    is_share: bool


def scores_of(measured: Mapping[str, Any]) -> list[Score]:
    """The validation loss first, then the metrics in the order in which they were measured."""
    first = []
    if is_number(measured.get(LOSS)):
        first = [Score("Validation loss", float(measured[LOSS]), None, None, False)]
    return [*first, *metric_scores(measured)]


def metric_scores(measured: Mapping[str, Any]) -> Iterator[Score]:
    for name, value in measured.items():
        if name in metrics and is_number(value):
            metric = metrics[name]
            low, high = measured.get(f"{name}_interval") or (None, None)
            yield Score(metric.label, value, low, high, metric.is_share)


def headline(measured: Mapping[str, Any]) -> Score | None:
    """The metric that says most in one figure: the first that the run is judged by."""
    return next(metric_scores(measured), None)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
