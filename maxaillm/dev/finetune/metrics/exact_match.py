"""Exact match: the share of held-out questions answered to the letter."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Answered, MeanAnswerMetric, metrics


@metrics.register
class ExactMatch(MeanAnswerMetric):
    """Greedy answers equal to the row's, character by character but for spaces around them."""

    label: ClassVar[str] = "Exact match"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["exact_match"] = "exact_match"

    def quality(self, row: Answered) -> float:
        answer = row.answer.strip()
        return float(any(answer == reference.strip() for reference in row.references))
