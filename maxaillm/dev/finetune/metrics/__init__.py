"""What a model is judged by, one module each. This file is their contract.

A metric is made of what each held-out row adds to it: numbers that can be summed, and a figure
of their sum. So a whole set, a part of it and a thousand resamples of it for a confidence
interval (`bootstrap.py`) all cost one pass over the rows. The figures come from the libraries
that define them (sacrebleu, rouge-score), called directly: `evaluate.load` would fetch and
execute a script from the network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.tasks.names import CLASSES, TEXTS, TOKENS

FloatArray = NDArray[np.float64]


class TokenLoss(NamedTuple):
    """Of one row, or summed over many, so that batches of any shape weigh the same."""

    total: float
    """Negative log-likelihood in nats, summed over the trained tokens."""
    tokens: int
    right: int = 0
    """Of how many tokens the likeliest was the right one."""


class Answered(NamedTuple):
    """What a model answered to a held-out row, and what the row says."""

    answer: str
    reference: str
    others: tuple[str, ...] = ()
    """Further answers that would be as good."""

    @property
    def references(self) -> tuple[str, ...]:
        return (self.reference, *self.others)


class Classified(NamedTuple):
    """A row, or a token of one, that belongs to one of several classes."""

    probabilities: Sequence[float]
    label: int

    @property
    def predicted(self) -> int:
        return int(np.argmax(self.probabilities))


class MultiClassified(NamedTuple):
    """A row that belongs to any number of classes."""

    probabilities: Sequence[float]
    """Of each class by itself."""
    labels: Sequence[int]
    """One where the row belongs to the class, else zero."""

    @property
    def predicted(self) -> FloatArray:
        """One for each class that is likelier than not."""
        return (np.asarray(self.probabilities) > 0.5).astype(np.float64)


class Measured(NamedTuple):
    """A row whose label is a number."""

    predicted: float
    actual: float


class Compared(NamedTuple):
    """How good a model finds an answer that is to be preferred to others, and those."""

    chosen: float
    rejected: Sequence[float] | FloatArray


class Metric(Component, ABC):
    """A figure that says how good a model is on held-out rows."""

    higher_is_better: ClassVar[bool]
    is_share: ClassVar[bool] = False
    """Whether it runs from 0 to 1, so that people read it in percent."""
    tasks: ClassVar[frozenset[str]]
    """The tasks that it can judge."""
    made_of: ClassVar[type]
    """What a row has to be."""
    measured: ClassVar[str] = "On the held-out rows, at every evaluation"
    """When and on what, which is also what it costs."""

    @classmethod
    def judges(cls, kind: type[Example]) -> bool:
        """Whether rows of a kind give what it is made of, the task given."""
        return True

    @abstractmethod
    def statistics(self, row: Any) -> FloatArray:
        """What a row adds: one axis, as long for every row of a set."""

    @abstractmethod
    def figure(self, sums: FloatArray) -> float:
        """The metric of the rows whose statistics sum up to `sums`."""


class TokenLossMetric(Metric):
    """A figure of the tokens to learn, which every evaluation measures anyway."""

    made_of: ClassVar[type] = TokenLoss
    tasks: ClassVar[frozenset[str]] = TOKENS

    @abstractmethod
    def statistics(self, row: TokenLoss) -> FloatArray: ...


class AnswerMetric(Metric):
    """A figure made of answers, which cost a generation a row: measured before and after."""

    made_of: ClassVar[type] = Answered
    measured: ClassVar[str] = "On answers to the held-out rows, written before and after training"
    tasks: ClassVar[frozenset[str]] = TEXTS

    @classmethod
    def judges(cls, kind: type[Example]) -> bool:
        return kind.has_answers

    @abstractmethod
    def statistics(self, row: Answered) -> FloatArray: ...


class MeanAnswerMetric(AnswerMetric):
    """The mean over the rows of how good each answer is."""

    @abstractmethod
    def quality(self, row: Answered) -> float:
        """How good one answer is; where there are several references, by the kindest of them."""

    def statistics(self, row: Answered) -> FloatArray:
        return np.array([self.quality(row), 1.0])

    def figure(self, sums: FloatArray) -> float:
        return float(sums[0] / sums[1])


class ClassMetric(Metric):
    """A figure made of classified rows or tokens."""

    made_of: ClassVar[type] = Classified
    tasks: ClassVar[frozenset[str]] = CLASSES

    @classmethod
    def judges(cls, kind: type[Example]) -> bool:
        return kind.targets == "class"

    @abstractmethod
    def statistics(self, row: Classified) -> FloatArray: ...


class MultiClassMetric(Metric):
    """A figure made of rows that belong to any number of classes."""

    made_of: ClassVar[type] = MultiClassified
    tasks: ClassVar[frozenset[str]] = frozenset({"sequence_classification"})

    @classmethod
    def judges(cls, kind: type[Example]) -> bool:
        return kind.targets == "classes"

    @abstractmethod
    def statistics(self, row: MultiClassified) -> FloatArray: ...


class NumberMetric(Metric):
    """A figure made of predicted numbers."""

    made_of: ClassVar[type] = Measured
    tasks: ClassVar[frozenset[str]] = frozenset({"sequence_classification"})

    @classmethod
    def judges(cls, kind: type[Example]) -> bool:
        return kind.targets == "number"

    @abstractmethod
    def statistics(self, row: Measured) -> FloatArray: ...


metrics: Registry[Metric] = Registry("metric", package=__name__)


def statistics_of(metric: Metric, rows: Iterable[Any]) -> FloatArray:
    """Of each row, [rows, statistics]. A row may be a list: a document of classified tokens."""
    made = [
        np.sum([metric.statistics(part) for part in row], axis=0)
        if isinstance(row, list)
        else metric.statistics(row)
        for row in rows
        if row != []
    ]
    if not made:
        raise DataError(f"There is no row to measure {metric.label} on.", "Hold some rows out.")
    return np.stack(made)


def score(metric: Metric, rows: Iterable[Any]) -> float:
    """The metric of a set of rows, each of the kind that it is made of."""
    return metric.figure(statistics_of(metric, rows).sum(axis=0))
