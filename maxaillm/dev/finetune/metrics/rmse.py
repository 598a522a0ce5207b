"""Root mean square error of predicted numbers."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, Measured, NumberMetric, metrics


@metrics.register
class RootMeanSquareError(NumberMetric):
    """How far off a prediction is, large misses counting more, in the label's own unit."""

    label: ClassVar[str] = "Root mean square error"
    higher_is_better: ClassVar[bool] = False

    name: Literal["rmse"] = "rmse"

    def statistics(self, row: Measured) -> FloatArray:
        return np.array([(row.predicted - row.actual) ** 2, 1])

    def figure(self, sums: FloatArray) -> float:
        return sqrt(sums[0] / sums[1])
