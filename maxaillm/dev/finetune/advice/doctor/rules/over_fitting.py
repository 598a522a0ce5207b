"""Over-fitting: since its best step the model got worse on rows that it does not learn from."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.advice.divergence import ABOVE, has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.rates import EPOCHS, STEPS
from maxaillm.dev.finetune.advice.verdict import NextStep

KEEP_BEST = "training.load_best_model_at_end"
SURE_ROWS = 100
"""Held-out rows from which on it is a warning: with 60, one of four was missed and rises by
chance looked alike."""


def over_fitting(history: RunHistory, curves: Curves | None) -> Finding | None:
    """The validation loss rose by 5 % above its best (Prechelt 1998, GL 5), beyond chance, for two
    evaluations and more, while the training loss fell on."""
    if curves is None or has_diverged(history) or not has_risen(curves):
        return None
    after = [step for step in curves.eval_steps if step > curves.best_step]
    is_sure = (history.held_out_rows or 0) >= SURE_ROWS
    title = f"ver-fitting since step {curves.best_step:,}"
    return Finding(
        code="over_fitting",
        level="warn" if is_sure else "note",
        title=f"O{title}" if is_sure else f"Perhaps o{title}",
        explanation=f"The validation loss rose from {figure(curves.best)} to {figure(curves.end)} "
        f"in {len(after)} evaluations, while the training loss fell to "
        f"{figure(curves.late_loss)}.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=curves.best_step,
            last_step=curves.last_step,
            mark="over-fitting",
            first_value=curves.best,
            last_value=curves.end,
        ),
        next_steps=[*kept_best(history), *shorter(history, curves)],
    )


def has_risen(curves: Curves) -> bool:
    if len(curves.evals) < 4 or curves.best_at > len(curves.evals) - 3:
        return False
    at, window = min(curves.best_step, curves.steps), curves.window
    before = float(np.median(curves.losses[max(0, at - window) : at + 1]))
    before = before if curves.best_at else curves.first_loss
    rose = curves.end > ABOVE * curves.best
    is_beyond_chance = curves.end - curves.best > 3 * curves.eval_noise
    fell = curves.late_loss < before - 2 * curves.noise / np.sqrt(window)
    return rose and is_beyond_chance and fell and curves.late_loss < curves.base


def kept_best(history: RunHistory) -> list[NextStep]:
    if history.options.get(KEEP_BEST):
        return []
    return [NextStep(label="Keep the best model", changes={KEEP_BEST: True})]


def shorter(history: RunHistory, curves: Curves) -> list[NextStep]:
    """Stop about where it was best."""
    if not curves.best_step or not history.total_steps:
        return []
    if history.epochs is None:
        return [NextStep(label="Train for less long", changes={STEPS: curves.best_step})]
    epochs = float(f"{history.epochs * curves.best_step / history.total_steps:.2g}")
    return [NextStep(label="Train for less long", changes={EPOCHS: epochs})]
