"""chrF: how many character sequences answers and references share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.metrics.shared.text_scores import CorpusScore

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer


@metrics.register
class Chrf(CorpusScore):
    """Of sacrebleu (chrF2, Popović 2015), 0 to 100; serves any language, also without spaces."""

    label: ClassVar[str] = "chrF"

    name: Literal["chrf"] = "chrf"

    @staticmethod
    @cache
    def scorer() -> SacrebleuScorer:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()
