"""Token F1: how many words an answer shares with its reference."""

from __future__ import annotations

import re
from collections import Counter
from string import punctuation
from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import Answered, MeanAnswerMetric, metrics

WITHOUT_PUNCTUATION = str.maketrans("", "", punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")


@metrics.register
class TokenF1(MeanAnswerMetric):
    """SQuAD 2.0's F1 of words, averaged over rows; case, punctuation, articles left aside."""

    label: ClassVar[str] = "Token F1"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["token_f1"] = "token_f1"

    def quality(self, row: Answered) -> float:
        answer = words_of(row.answer)
        return max(overlap(answer, words_of(reference)) for reference in row.references)


def overlap(answer: Counter[str], reference: Counter[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    return 2 * (answer & reference).total() / (answer.total() + reference.total())


def words_of(text: str) -> Counter[str]:
    bare = text.lower().translate(WITHOUT_PUNCTUATION)
    return Counter(ARTICLES.sub(" ", bare).split())
