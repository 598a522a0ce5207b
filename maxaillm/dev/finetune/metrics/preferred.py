"""Preferred: how often the model finds the better of two answers the likelier one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import Compared, FloatArray, Metric, metrics


@metrics.register
class Preferred(Metric):
    """The share of held-out pairs whose chosen answer is the likelier one, by the token, so that
    length does not decide; a tie counts half.

    Answers that were judged one by one make no pairs. Then it is how often a good one has gained
    more than a bad one since the first step, 50 % before it (the area under the ROC curve).
    """

    label: ClassVar[str] = "Preferred"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True
    tasks: ClassVar[frozenset[str]] = frozenset({"preference"})
    made_of: ClassVar[type] = Compared

    name: Literal["preferred"] = "preferred"

    def statistics(self, row: Compared) -> FloatArray:
        lead = row.chosen - np.asarray(row.rejected)
        return np.array([np.heaviside(lead, 0.5).mean(), 1.0])

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
