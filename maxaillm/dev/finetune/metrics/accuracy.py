"""Accuracy: the share of rows, or of tokens, whose likeliest class is the right one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import Classified, ClassMetric, FloatArray, metrics


@metrics.register
class Accuracy(ClassMetric):
    """Right classes among all; misleads where one class is far more frequent than others."""

    label: ClassVar[str] = "Accuracy"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["accuracy"] = "accuracy"

    def statistics(self, row: Classified) -> FloatArray:
        return np.array([row.predicted == row.label, 1], dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
