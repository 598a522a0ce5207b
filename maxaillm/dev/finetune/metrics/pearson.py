"""Pearson correlation of predicted and right numbers."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, Measured, NumberMetric, metrics


@metrics.register
class Pearson(NumberMetric):
    """1 where predictions rise in a line with the labels; says nothing of their size."""

    label: ClassVar[str] = "Pearson correlation"
    higher_is_better: ClassVar[bool] = True

    name: Literal["pearson"] = "pearson"

    def statistics(self, row: Measured) -> FloatArray:
        x, y = row
        return np.array([1, x, y, x * x, y * y, x * y])

    def figure(self, sums: FloatArray) -> float:
        rows, x, y, xx, yy, xy = map(float, sums)
        spread = (rows * xx - x * x) * (rows * yy - y * y)
        if spread <= 0:
            return 0.0  # one of them is constant: there is nothing to correlate
        return (rows * xy - x * y) / sqrt(spread)
