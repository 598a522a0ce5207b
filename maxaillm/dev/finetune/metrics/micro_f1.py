"""Micro F1 of rows with any number of labels."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, MultiClassified, MultiClassMetric, metrics


@metrics.register
class MicroF1(MultiClassMetric):
    """F1 over all pairs of row and label; a label is predicted where it is likelier than not."""

    label: ClassVar[str] = "Micro F1"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["micro_f1"] = "micro_f1"

    def statistics(self, row: MultiClassified) -> FloatArray:
        predicted = row.predicted
        actual = np.asarray(row.labels)
        return np.array([predicted @ actual, predicted.sum() + actual.sum()], dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        return float(2 * sums[0] / sums[1]) if sums[1] else 0.0
