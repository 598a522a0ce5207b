"""Answers right: the share of held-out questions that the model answers as the row does."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Answered, MeanAnswerMetric, metrics

PUNCTUATION = re.compile(r"[^\w\s]")


@metrics.register
class AnswersRight(MeanAnswerMetric):
    """Greedy answers equal to the row's, but for case, punctuation and spaces."""

    label: ClassVar[str] = "Answers right"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["answers_right"] = "answers_right"

    def quality(self, row: Answered) -> float:
        answer = normalised(row.answer)
        return float(any(answer == normalised(reference) for reference in row.references))


def normalised(text: str) -> str:
    return " ".join(PUNCTUATION.sub(" ", text).casefold().split())
