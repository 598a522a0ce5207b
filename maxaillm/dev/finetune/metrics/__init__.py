"""What a model is judged by, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from maxaillm.dev.finetune.registry import Component, Registry


class TokenLoss(NamedTuple):
    """Summed over a whole evaluation set, so that batches of any shape weigh the same."""

    total: float
    """Negative log-likelihood in nats, summed over the trained tokens."""
    tokens: int


class Answered(NamedTuple):
    """What a model answered to a held-out row, and what the row says."""

    answer: str
    reference: str


class Metric(Component, ABC):
    """A figure that says how good a model is on held-out rows."""

    higher_is_better: ClassVar[bool]
    is_share: ClassVar[bool] = False
    """Whether it runs from 0 to 1, so that people read it in percent."""


class TokenLossMetric(Metric):
    """A figure made of the loss, which every evaluation measures anyway."""

    @abstractmethod
    def from_token_loss(self, loss: TokenLoss) -> float:
        """The figure of an evaluation set."""


class AnswerMetric(Metric):
    """A figure made of answers, which cost a generation a row: measured before and after."""

    @abstractmethod
    def from_answers(self, answered: Sequence[Answered]) -> float:
        """The figure of the answers to at least one row."""


metrics: Registry[Metric] = Registry("metric", package=__name__)
