"""BLEU: how many word sequences of the answers the references have too."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.metrics.shared.text_scores import CorpusScore

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer


@metrics.register
class Bleu(CorpusScore):
    """Of sacrebleu (Post 2018), 0 to 100: 13a tokens, 1 to 4 of them, brevity penalised."""

    label: ClassVar[str] = "BLEU"

    name: Literal["bleu"] = "bleu"

    @staticmethod
    @cache
    def scorer() -> SacrebleuScorer:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(force=True)  # a model's answers may well end in a lone full stop
