"""Token accuracy: the share of tokens that the model would have written itself."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.metrics import FloatArray, TokenLoss, TokenLossMetric, metrics


@metrics.register
class TokenAccuracy(TokenLossMetric):
    """Tokens that are the likeliest of all, given the right ones before them."""

    label: ClassVar[str] = "Token accuracy"
    higher_is_better: ClassVar[bool] = True
    is_share: ClassVar[bool] = True

    name: Literal["token_accuracy"] = "token_accuracy"

    def statistics(self, row: TokenLoss) -> FloatArray:
        return np.array([row.right, row.tokens], dtype=np.float64)

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])
