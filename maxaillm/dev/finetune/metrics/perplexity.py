"""Perplexity: how many tokens the model hesitates between, on average."""

from __future__ import annotations

from math import exp
from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, TokenLoss, TokenLossMetric, metrics


@metrics.register
class Perplexity(TokenLossMetric):
    """exp(summed token loss / tokens); 1 is certainty, the vocabulary size is guessing."""

    label: ClassVar[str] = "Perplexity"
    higher_is_better: ClassVar[bool] = False

    name: Literal["perplexity"] = "perplexity"

    def statistics(self, row: TokenLoss) -> FloatArray:
        return np.array([row.total, row.tokens], dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        mean = float(sums[0] / sums[1])
        return exp(mean) if mean < 700 else float("inf")  # exp(710) overflows a double
