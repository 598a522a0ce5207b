"""Mean absolute error of predicted numbers."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, Measured, NumberMetric, metrics


@metrics.register
class MeanAbsoluteError(NumberMetric):
    """How far off a prediction is on average, in the label's own unit."""

    label: ClassVar[str] = "Mean absolute error"
    higher_is_better: ClassVar[bool] = False

    name: Literal["mae"] = "mae"

    def statistics(self, row: Measured) -> FloatArray:
        return np.array([abs(row.predicted - row.actual), 1])

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
