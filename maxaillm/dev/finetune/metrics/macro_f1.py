"""Macro F1: how well each class is found, rare ones counting as much as frequent ones."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Classified, ClassMetric, FloatArray, metrics
from maxaillm.dev.finetune.metrics.shared.class_counts import ClassCounts


@metrics.register
class MacroF1(ClassMetric):
    """Mean F1 of the classes that occur or are predicted (scikit-learn's average="macro")."""

    label: ClassVar[str] = "Macro F1"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["macro_f1"] = "macro_f1"

    def statistics(self, row: Classified) -> FloatArray:
        return ClassCounts.of_row(row)

    def figure(self, sums: FloatArray) -> float:
        counts = ClassCounts.of_sums(sums)
        named = counts.predicted + counts.actual
        seen = named > 0
        return float((2 * counts.right[seen] / named[seen]).mean())
