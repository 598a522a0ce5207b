"""Perplexity: how many tokens the model hesitates between, on average."""

from __future__ import annotations

from math import exp
from typing import ClassVar, Literal

from maxaillm.dev.finetune.metrics import TokenLoss, TokenLossMetric, metrics


@metrics.register
class Perplexity(TokenLossMetric):
    """exp(summed token loss / tokens); 1 is certainty, the vocabulary size is guessing."""

    label: ClassVar[str] = "Perplexity"
    higher_is_better: ClassVar[bool] = False

    name: Literal["perplexity"] = "perplexity"

    def from_token_loss(self, loss: TokenLoss) -> float:
        mean = loss.total / loss.tokens
        return exp(mean) if mean < 700 else float("inf")  # exp(710) overflows a double
