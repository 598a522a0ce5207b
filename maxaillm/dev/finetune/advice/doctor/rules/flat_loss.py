"""Flat loss: it learned, and then no more, although the learning rate was still there."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.doctor.rules.rate_too_low import rate_too_low
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory

LEAST_STEPS, LEAST_EVALUATIONS = 60, 7
RATE_LEFT = 0.3
"""Of the highest learning rate: with less at the end, nothing more is to be expected."""
STILL = 0.02
"""What the last third gained, of what was gained before it."""


def flat_loss(history: RunHistory, curves: Curves | None) -> Finding | None:
    """A remark: on real curves one in two was no plateau."""
    if curves is None or curves.steps < LEAST_STEPS or len(curves.evals) < LEAST_EVALUATIONS:
        return None
    if has_no_rate_left(curves) or curves.is_noisy or has_learned_nothing(curves):
        return None
    others = (over_fitting(history, curves), rate_too_low(history, curves))
    if has_diverged(history) or any(others):
        return None
    is_early = curves.eval_steps <= curves.last_step * 2 / 3
    before, late = float(curves.evals[is_early].min()), float(curves.evals[~is_early].min())
    if before - late >= STILL * (curves.base - before):
        return None
    since = int(curves.eval_steps[is_early][-1])
    return Finding(
        code="flat_loss",
        level="note",
        title=f"Perhaps nothing more is learned since step {since:,}",
        explanation="In the last third of the run the validation loss hardly fell. More steps of "
        "this kind won't help; more rows, or a method that trains more weights, may.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=since,
            last_step=curves.last_step,
            mark="flat",
            first_value=before,
            last_value=late,
        ),
    )


def has_no_rate_left(curves: Curves) -> bool:
    return not len(curves.rates) or curves.rates[-1] <= RATE_LEFT * curves.rates.max()


def has_learned_nothing(curves: Curves) -> bool:
    return curves.reference - curves.end < 0.01 * curves.reference
