"""How often each class was predicted, meant, and both: what F1 and correlation are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from maxaillm.dev.finetune.metrics import Classified, FloatArray


class ClassCounts(NamedTuple):
    """One figure a class each."""

    right: FloatArray
    predicted: FloatArray
    actual: FloatArray

    @classmethod
    def of_row(cls, row: Classified) -> FloatArray:
        """As statistics of a metric."""
        counts = np.zeros((3, len(row.probabilities)))
        predicted = row.predicted
        counts[0, row.label] = predicted == row.label
        counts[1, predicted] = counts[2, row.label] = 1
        return counts.ravel()

    @classmethod
    def of_sums(cls, sums: FloatArray) -> ClassCounts:
        return cls(*sums.reshape(3, -1))
