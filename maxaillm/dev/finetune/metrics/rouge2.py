"""ROUGE-2: the pairs of words that answers and references share."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.metrics.shared.text_scores import RougeScore


@metrics.register
class Rouge2(RougeScore):
    """Mean f-measure of pairs of words, by rouge-score (Lin 2004)."""

    label: ClassVar[str] = "ROUGE-2"

    name: Literal["rouge2"] = "rouge2"
