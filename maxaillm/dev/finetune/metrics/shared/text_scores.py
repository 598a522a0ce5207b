"""How the libraries that define BLEU, chrF and ROUGE count: shared by those metrics."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from maxaillm.dev.finetune.metrics import (
    Answered,
    AnswerMetric,
    FloatArray,
    MeanAnswerMetric,
)

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.base import Metric as SacrebleuScorer


class CorpusScore(AnswerMetric):
    """A score of sacrebleu, 0 to 100: n-gram counts of each answer, one figure of their sum."""

    higher_is_better: ClassVar[bool] = True

    @staticmethod
    @abstractmethod
    def scorer() -> SacrebleuScorer:
        """Sacrebleu's metric; made once, as its tokenizer keeps what it has seen."""

    def statistics(self, row: Answered) -> FloatArray:
        references = [[reference] for reference in row.references]
        (counts,) = self.scorer()._extract_corpus_statistics([row.answer], references)
        return np.array(counts, dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        return float(self.scorer()._compute_score_from_stats(sums.tolist()).score)


class RougeScore(MeanAnswerMetric):
    """Mean f-measure of rouge-score (Lin 2004). Words are runs of a-z and 0-9, not stemmed."""

    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    def quality(self, row: Answered) -> float:
        scores = rouge_scorer(self.name).score_multi(row.references, row.answer)
        return float(scores[self.name].fmeasure)


@cache
def rouge_scorer(kind: str) -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind])
