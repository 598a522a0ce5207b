"""Curves of a run as arrays, and how far chance moves them: what the doctor's rules look at."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np

from maxaillm.dev.finetune.advice.comparison import FloatArray
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory

MAD = 1.4826
"""Times the median absolute deviation: the standard deviation, if values are normal."""


class Curves:
    """Training loss of each step, and validation loss with the base model's at step 0.

    `end`: the mean of the last two evaluations, where there are more than three.
    """

    def __init__(self, history: RunHistory, losses: FloatArray, points: dict[int, float]) -> None:
        self.history, self.losses = history, losses
        self.steps = len(losses)
        self.eval_steps = np.array(sorted(points), dtype=int)
        self.evals = np.array([points[step] for step in sorted(points)], dtype=float)
        self.rates = np.array(history.rates, dtype=float)
        self.norms = np.array(history.grad_norms, dtype=float)

    @classmethod
    def of(cls, history: RunHistory) -> Self | None:
        """None before the first evaluation after a step, and where a figure is no number."""
        losses = np.array(history.losses, dtype=float)
        scores = {found.step: found.number(EVAL_LOSS) for found in history.evaluations}
        points = {step: value for step, value in scores.items() if value is not None}
        is_whole = len(points) == len(scores) and np.isfinite(losses).all()
        if not is_whole or 0 not in points or len(points) < 2 or not len(losses):
            return None
        return cls(history, losses, points)

    @property
    def base(self) -> float:
        return float(self.evals[0])

    @property
    def end(self) -> float:
        return float(self.evals[-2:].mean() if len(self.evals) > 3 else self.evals[-1])

    @property
    def best_at(self) -> int:
        """Which evaluation has the lowest loss."""
        return int(self.evals.argmin())

    @property
    def best(self) -> float:
        return float(self.evals[self.best_at])

    @property
    def best_step(self) -> int:
        return int(self.eval_steps[self.best_at])

    @property
    def last_step(self) -> int:
        return int(self.eval_steps[-1])

    @property
    def window(self) -> int:
        """Steps over which the training loss is looked at: an eighth of the run."""
        return max(3, min(500, self.steps // 8))

    @property
    def first_loss(self) -> float:
        return max(self.base, float(self.losses[0]))

    @property
    def late_loss(self) -> float:
        return float(np.median(self.losses[-self.window :]))

    @property
    def gain(self) -> float:
        """The part of the base model's validation loss that is gone at the end."""
        return (self.base - self.end) / self.base if self.base else 0.0

    @property
    def reference(self) -> float:
        """The base model's loss, or that of a guess where this is lower."""
        guess = self.history.guess_loss
        return self.base if guess is None else min(self.base, guess)

    @cached_property
    def noise(self) -> float:
        """By how much the training loss jumps from step to step, a robust standard deviation."""
        jumps = np.diff(self.losses)
        if len(jumps) < 3:
            return 0.0
        return float(MAD * np.median(np.abs(jumps - np.median(jumps))) / np.sqrt(2))

    @cached_property
    def eval_noise(self) -> float:
        """By how much the validation loss jumps, beside its trend."""
        if len(self.evals) < 5:
            return 0.0
        return float(MAD * np.median(np.abs(np.diff(self.evals, 2))) / np.sqrt(6))

    @property
    def is_noisy(self) -> bool:
        """Whether chance moves the validation loss by a fifth of all that was gained."""
        gained = self.base - self.best
        return gained > 0.01 * self.base and self.eval_noise > 0.2 * gained
