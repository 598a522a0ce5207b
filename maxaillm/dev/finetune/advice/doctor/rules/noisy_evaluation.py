"""Noisy evaluation: the validation loss moves by chance as much as by learning."""

from __future__ import annotations

from pydantic import JsonValue

from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

SHARE, MOST_SHARE = "data.validation_share", 0.5
FEW_ROWS = 20
ROUGH = 0.6
"""Half of the gain's 95 % interval, beside the gain: by then chance may have made most of it."""
LEAST_GAIN = 0.01
"""Of the base's figure: a smaller gain is no gain, however many rows there are."""


def noisy_evaluation(history: RunHistory, curves: Curves | None) -> Finding | None:
    """With few rows; at the end also by the interval of the gain on them."""
    if curves is None or has_diverged(history) or over_fitting(history, curves):
        return None
    rows, found = history.held_out_rows, history.comparison
    if rows is not None and rows < FEW_ROWS:
        words = f"It is measured on {rows:,} held-out rows; each of them weighs much."
        title = "Validation loss of very few rows"
    elif found is not None and is_rough(found):
        title = "Too few held-out rows: chance moves the gain"
        words = (
            f"On {found.rows:,} rows the gain is {figure(found.gain)}, give or take "
            f"{figure(half_of(found))} by chance."
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
        next_steps=[NextStep(label="Hold out more rows", changes=more_rows(history))],
    )


def half_of(found: Comparison) -> float:
    return 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2


def is_rough(found: Comparison) -> bool:
    gain = abs(found.gain)
    return gain > LEAST_GAIN * found.scale and half_of(found) > ROUGH * gain


def more_rows(history: RunHistory) -> dict[str, JsonValue]:
    """Twice the share; nothing where the rows are a file or a split of their own."""
    tokens, rows = history.tokens, history.held_out_rows
    if not tokens or not rows or history.options.get("data.validation_file"):
        return {}
    share = 2 * rows / tokens.rows
    return {SHARE: float(f"{share:.2g}")} if share <= MOST_SHARE else {}
