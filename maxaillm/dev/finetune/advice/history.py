"""History of a run: what its end is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import NamedTuple

from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.figures import figure

EVAL_LOSS = "eval_loss"


class Evaluation(NamedTuple):
    """Figures on the held-out rows after a step; step 0 is the base model."""

    step: int
    scores: Mapping[str, object]

    def number(self, metric: str) -> float | None:
        """A figure; None where it was not measured or is no finite number."""
        value = self.scores.get(metric)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and isfinite(value) else None  # type: ignore[arg-type]


class TokenCounts(NamedTuple):
    """What became of the training rows as tokens."""

    rows: int
    seen: int
    trained: int
    cut_rows: int = 0
    cut_tokens: int = 0
    ended: int | None = None
    """Rows that teach an end token; None where the task has none."""


class LabelCount(NamedTuple):
    """One label of a classifier: how often it is trained on, and how it was told at the end."""

    name: str
    trained: int
    held_out: int
    right: int
    """Of the held-out rows that have it, those that were said to have it."""


class EndCount(NamedTuple):
    """Places in held-out rows where a text ends, and at how many the model would end it."""

    asked: int
    said: int


@dataclass
class RunHistory:
    """What a run measured so far, and the options that advice changes."""

    losses: list[float] = field(default_factory=list)
    """Training loss of each step, the first before any weight was moved."""
    evaluations: list[Evaluation] = field(default_factory=list)
    """In the order in which they were made; the last is of the model that is kept."""
    comparison: Comparison | None = None
    """That model beside its base."""
    metric: str = EVAL_LOSS
    """What the best model is chosen by."""
    higher_is_better: bool = False
    guess_loss: float | None = None
    """Validation loss of who guesses without reading: all tokens alike, labels by their shares."""
    given_up: str = ""
    """Why training could not go on, in a sentence; empty where it did."""
    total_steps: int = 0
    learning_rate: float | None = None
    recommended_rate: float | None = None
    epochs: float | None = None
    """None: the run's length is given in steps."""
    grad_norms: list[float] = field(default_factory=list)
    """Length of each step's gradient before it is clipped; empty where that is not measured."""
    rates: list[float] = field(default_factory=list)
    """Learning rate of each step."""
    tokens: TokenCounts | None = None
    held_out_rows: int | None = None
    labels: list[LabelCount] = field(default_factory=list)
    """Of a classifier that says one label a text, once its end was measured."""
    ends: EndCount | None = None
    """Of a model that writes, once its end was measured."""
    timed_steps: int = 0
    """Steps whose time was taken: all but the first, which warm up."""
    input_seconds: float = 0.0
    """How long those waited for their batches."""
    step_seconds: float = 0.0
    """How long they computed."""
    sequences_at_once: int | None = None
    """Given where memory did not suffice for the batch size."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Options of the run by their paths, such as `training.max_grad_norm`."""

    @property
    def input_share(self) -> float:
        """The part of the time in which training waited for batches."""
        whole = self.input_seconds + self.step_seconds
        return self.input_seconds / whole if whole else 0.0

    @property
    def base(self) -> Evaluation | None:
        """The base model, before any step."""
        return next((found for found in self.evaluations if found.step == 0), None)

    @property
    def base_loss(self) -> float | None:
        return self.base.number(EVAL_LOSS) if self.base else None

    @property
    def end(self) -> Evaluation | None:
        """The newest evaluation after a step."""
        later = [found for found in self.evaluations if found.step]
        return later[-1] if later else None

    @property
    def start_loss(self) -> float | None:
        """The loss before the first step: of the first batch or of the held-out rows, whichever
        is higher."""
        known = [*self.losses[:1], *filter(None, [self.base_loss])]
        return max(known, default=None)

    @property
    def late_loss(self) -> float | None:
        """The median training loss of the last eighth of the steps, of three at least."""
        window = min(max(len(self.losses) // 8, 3), 500)
        return median(self.losses[-window:]) if self.losses else None

    @property
    def course(self) -> str:
        """The training loss at the beginning and at the end, in words; empty before the end."""
        if len(self.losses) < 2 or self.late_loss is None:
            return ""
        return f"from {figure(self.losses[0])} to {figure(self.late_loss)}"

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation of those better than the base; None where none is."""
        return best_evaluation(self.evaluations, self.metric, self.higher_is_better)


def best_evaluation(
    evaluations: Iterable[Evaluation],
    metric: str,
    higher_is_better: bool,  # noqa: FBT001 - a metric's own words
) -> Evaluation | None:
    """The best by a metric; None where none is better than the base, which is that of step 0."""
    best: Evaluation | None = None
    for found in sorted(evaluations, key=lambda found: found.step):
        than = best.number(metric) if best else None
        if is_better(found.number(metric), than, higher_is_better):
            best = found
    return best if best and best.step else None


def is_better(
    value: float | None,
    than: float | None,
    higher_is_better: bool,  # noqa: FBT001 - a metric's own words
) -> bool:
    """Whether a value beats another, or nothing; what is no number beats nothing."""
    if value is None or not isfinite(value):
        return False
    if than is None:
        return True
    return value > than if higher_is_better else value < than
