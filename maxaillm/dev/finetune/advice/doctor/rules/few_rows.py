"""Too little data: so few rows that they are learned by heart."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory

FEW = 100
"""OpenAI's guide to fine-tuning asks for 50 to 100 rows before an improvement is to be seen."""
GAP = 0.15
"""Between training and validation loss, of all that was gained: few rows that stand for the task
have none, as rows by a template do."""


def few_rows(history: RunHistory, curves: Curves | None) -> Finding | None:
    found = history.tokens
    if curves is None or found is None or not 0 < found.rows < FEW or has_diverged(history):
        return None
    gap, gain = curves.end - curves.late_loss, curves.base - min(curves.end, curves.late_loss)
    if gain <= 0 or gap < GAP * gain:
        return None
    return Finding(
        code="few_rows",
        level="note",
        title=f"Few rows: {found.rows:,}",
        explanation=f"The training loss is {figure(curves.late_loss)}, on held-out rows it is "
        f"{figure(curves.end)}: the model learns these rows rather than a task. More good rows "
        "help more than more epochs.",
        evidence=Evidence(
            metric=EVAL_LOSS,
            first_step=curves.last_step,
            last_step=curves.last_step,
            mark="far above training",
            first_value=curves.late_loss,
            last_value=curves.end,
        ),
    )
