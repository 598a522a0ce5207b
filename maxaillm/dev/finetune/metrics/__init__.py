"""What a model is judged by, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from maxaillm.dev.finetune.registry import Component, Registry


class TokenLoss(NamedTuple):
    """Summed over a whole evaluation set, so that batches of any shape weigh the same."""

    total: float
    """Negative log-likelihood in nats, summed over the trained tokens."""
    tokens: int


class Metric(Component, ABC):
    """A figure that says how good a model is on held-out rows."""

    higher_is_better: ClassVar[bool]

    @abstractmethod
    def from_token_loss(self, loss: TokenLoss) -> float:
        """The figure of an evaluation set."""


metrics: Registry[Metric] = Registry("metric", package=__name__)
