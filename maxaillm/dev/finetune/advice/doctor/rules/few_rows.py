"""Too little data: so few rows that they are learned by heart."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory

FEW = 50
"""OpenAI's guide to fine-tuning asks for 50 to 100 rows before an improvement is to be seen."""


def few_rows(history: RunHistory, curves: Curves | None) -> Finding | None:
    found = history.tokens
    if found is None or not 0 < found.rows < FEW:
        return None
    return Finding(
        code="few_rows",
        level="note",
        title=f"Few rows: {found.rows:,}",
        explanation=f"From fewer than {FEW} rows a model learns these rows rather than a task. "
        "Good rows help more than more epochs.",
    )
