"""Truncation: rows are longer than what the model is shown of them."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

LENGTH = "data.max_length"
MANY = 0.1
"""Of the rows: from here on the ends of answers, end tokens among them, are rarely learned."""


def truncation(history: RunHistory, curves: Curves | None) -> Finding | None:
    found = history.tokens
    if found is None or not found.rows or found.cut_rows < MANY * found.rows:
        return None
    length = history.options.get(LENGTH)
    changes = {LENGTH: 2 * length} if isinstance(length, int) else {}
    return Finding(
        code="truncation",
        level="warn",
        title=f"{found.cut_rows / found.rows:.0%} of the rows are cut",
        explanation=f"{found.cut_rows:,} of {found.rows:,} rows are longer than the maximum "
        f"length; {found.cut_tokens:,} tokens behind it are never seen, where answers end.",
        next_steps=[NextStep(label="Raise the maximum length", changes=dict(changes))],
    )
