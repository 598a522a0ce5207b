"""Subset accuracy: the share of rows all of whose labels are right."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, MultiClassified, MultiClassMetric, metrics


@metrics.register
class SubsetAccuracy(MultiClassMetric):
    """Rows with every right label predicted and no other."""

    label: ClassVar[str] = "Subset accuracy"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["subset_accuracy"] = "subset_accuracy"

    def statistics(self, row: MultiClassified) -> FloatArray:
        is_right = np.array_equal(row.predicted, np.asarray(row.labels))
        return np.array([is_right, 1], dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
