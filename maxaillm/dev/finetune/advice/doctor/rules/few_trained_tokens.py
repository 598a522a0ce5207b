"""Few trained tokens: most of what is computed teaches nothing, or there is little to learn."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory

SMALL = 0.05
"""Of all tokens. Answers of a word to prompts of a page are like that, and so is a mapping whose
answer is the wrong column."""


def few_trained_tokens(history: RunHistory, curves: Curves | None) -> Finding | None:
    found = history.tokens
    if found is not None and found.trained <= found.rows:  # a label a text, not tokens
        return None
    if found is None or not found.seen or not 0 < found.trained < SMALL * found.seen:
        return None
    return Finding(
        code="few_trained_tokens",
        level="note",
        title=f"Only {100 * found.trained / found.seen:.2g} % of the tokens are learned",
        explanation=f"{found.trained:,} of {found.seen:,} tokens are answers; the rest is only "
        "read. See on the dataset's tab Tokens whether that is what is meant.",
    )
