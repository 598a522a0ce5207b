"""Preferred: how often the model finds the better of two answers the likelier one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import Compared, FloatArray, Metric, metrics


@metrics.register
class Preferred(Metric):
    """The share of held-out pairs whose chosen answer is the likelier one, token by token, so
    that length does not decide; a tie counts half.

    Of an answer that was judged by itself: whether the model finds it likelier than its base did
    where it is as it should be, and less likely where it is not.
    """

    label: ClassVar[str] = "Preferred"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True
    tasks: ClassVar[frozenset[str]] = frozenset({"preference"})
    made_of: ClassVar[type] = Compared

    name: Literal["preferred"] = "preferred"

    def statistics(self, row: Compared) -> FloatArray:
        agrees = 0.5 if row.chosen == row.rejected else float(row.chosen > row.rejected)
        return np.array([agrees, 1.0])

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
