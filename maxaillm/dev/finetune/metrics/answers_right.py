"""Answers right: the share of held-out questions that the model answers as the row does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Answered, AnswerMetric, metrics

PUNCTUATION = re.compile(r"[^\w\s]")


@metrics.register
class AnswersRight(AnswerMetric):
    """Exact match of the greedy answer, case, punctuation and spaces left aside (SQuAD's rule)."""

    label: ClassVar[str] = "Answers right"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["answers_right"] = "answers_right"

    def from_answers(self, answered: Sequence[Answered]) -> float:
        right = (normalised(answer) == normalised(reference) for answer, reference in answered)
        return sum(right) / len(answered)


def normalised(text: str) -> str:
    return " ".join(PUNCTUATION.sub(" ", text).casefold().split())
