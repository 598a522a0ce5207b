"""ROUGE-L: the longest run of words, gaps allowed, that answers and references share."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.metrics.shared.text_scores import RougeScore


@metrics.register
class RougeL(RougeScore):
    """Mean f-measure of the longest common subsequence, by rouge-score (Lin 2004)."""

    label: ClassVar[str] = "ROUGE-L"

    name: Literal["rougeL"] = "rougeL"
