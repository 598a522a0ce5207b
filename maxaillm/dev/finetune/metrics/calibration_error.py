"""Calibration error: how far the model's confidence is from how often it is right."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import Classified, ClassMetric, FloatArray, metrics

BINS = 15
"""Of equal width, as in Guo et al. 2017."""


@metrics.register
class CalibrationError(ClassMetric):
    """Expected calibration error (Guo et al. 2017): |confidence - accuracy| over 15 bins."""

    label: ClassVar[str] = "Calibration error"
    higher_is_better: ClassVar[bool] = False
    is_share: ClassVar[bool] = True

    name: Literal["calibration_error"] = "calibration_error"

    def statistics(self, row: Classified) -> FloatArray:
        """Rows, summed confidence and right answers of each bin; bins are open at the left."""
        confidence = row.probabilities[row.predicted]
        of_bins = np.zeros((3, BINS))
        its_bin = min(BINS - 1, max(0, int(np.ceil(confidence * BINS)) - 1))
        of_bins[:, its_bin] = 1, confidence, row.predicted == row.label
        return of_bins.ravel()

    def figure(self, sums: FloatArray) -> float:
        rows, confidence, right = sums.reshape(3, BINS)
        return float(np.abs(confidence - right).sum() / rows.sum())
