"""Noisy evaluation: the validation loss moves by chance as much as by learning."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

FEW_ROWS = 20


def noisy_evaluation(history: RunHistory, curves: Curves | None) -> Finding | None:
    """With few rows, or where it jumps. A remark: half of the jumps on real curves were none."""
    if curves is None or has_diverged(history) or over_fitting(history, curves):
        return None
    rows = history.held_out_rows
    if rows is not None and rows < FEW_ROWS:
        words = f"It is measured on {rows:,} held-out rows; each of them weighs much."
        title = "Validation loss of very few rows"
    elif curves.is_noisy:
        title = "Perhaps too few held-out rows: the validation loss jumps"
        words = (
            f"From one evaluation to the next it moves by about {figure(curves.eval_noise)} by "
            f"chance, and all that was gained is {figure(curves.base - curves.best)}."
        )
    else:
        return None
    return Finding(
        code="noisy_evaluation",
        level="note",
        title=title,
        explanation=words,
        evidence=Evidence(
            metric=EVAL_LOSS, first_step=0, last_step=curves.last_step, mark="rough figures"
        ),
        next_steps=[NextStep(label="Hold out more rows")],
    )
