"""ROUGE-1: the words that answers and references share."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.metrics.shared.text_scores import RougeScore


@metrics.register
class Rouge1(RougeScore):
    """Mean f-measure of single words, by rouge-score (Lin 2004)."""

    label: ClassVar[str] = "ROUGE-1"

    name: Literal["rouge1"] = "rouge1"
