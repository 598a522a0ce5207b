"""Best is not last: an earlier step was better than the one that is kept."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import (
    KEEP_BEST,
    kept_best,
    over_fitting,
)
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory

WORSE = 1.01


def best_is_not_last(history: RunHistory, curves: Curves | None) -> Finding | None:
    """By a hundredth, and beyond chance; over-fitting is a finding of its own."""
    if curves is None or has_diverged(history) or over_fitting(history, curves):
        return None
    if history.options.get(KEEP_BEST) or not curves.best_step or len(curves.evals) < 4:
        return None
    last = float(curves.evals[-1])
    if last <= WORSE * curves.best or last - curves.best <= 3 * curves.eval_noise:
        return None
    return Finding(
        code="best_is_not_last",
        level="note",
        title=f"Step {curves.best_step:,} was better than the last one",
        explanation=f"Its validation loss was {figure(curves.best)}, at the end it is "
        f"{figure(last)}. The model that is kept is that of the end.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=curves.best_step,
            last_step=curves.last_step,
            mark="best here",
            first_value=curves.best,
            last_value=last,
        ),
        next_steps=kept_best(history),
    )
