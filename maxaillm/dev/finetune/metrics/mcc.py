"""Matthews correlation: how much predicted and right classes have to do with each other."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Classified, ClassMetric, FloatArray, metrics
from maxaillm.dev.finetune.metrics.shared.class_counts import ClassCounts


@metrics.register
class MatthewsCorrelation(ClassMetric):
    """1 is all right, 0 is guessing whatever the balance (Gorodkin 2004 for several classes)."""

    label: ClassVar[str] = "Matthews correlation"
    higher_is_better: ClassVar[bool] = True

    name: Literal["mcc"] = "mcc"

    def statistics(self, row: Classified) -> FloatArray:
        return ClassCounts.of_row(row)

    def figure(self, sums: FloatArray) -> float:
        counts = ClassCounts.of_sums(sums)
        rows = counts.actual.sum()
        together = counts.right.sum() * rows - counts.predicted @ counts.actual
        spread_predicted = rows**2 - counts.predicted @ counts.predicted
        spread_actual = rows**2 - counts.actual @ counts.actual
        if not spread_predicted or not spread_actual:
            return 0.0  # only one class: there is nothing to correlate
        return float(together / sqrt(spread_predicted * spread_actual))
