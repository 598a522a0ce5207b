"""End token not learned: answers will run on until they are cut off."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.rates import learn_more

LEAST_ENDS = 5
"""Held-out answers, to say that their ends are not said."""
TAUGHT = 0.5
"""Of the training rows."""
SAID = 0.03
"""Of the held-out answers. A model that would end a tenth of them at their own ends often ends the
others a little earlier or later."""


def end_token(history: RunHistory, curves: Curves | None) -> Finding | None:
    """Not taught: the chat template writes none, or rows are cut before it. Not learned: at the
    ends of held-out answers another token is likelier."""
    counts, ends = history.tokens, history.ends
    if counts is not None and counts.ended is not None:
        rows = counts.rows - (history.held_out_rows or 0)
        if counts.ended < TAUGHT * rows:
            return not_taught(counts.ended, rows)
    if ends is None or ends.asked < LEAST_ENDS or ends.said > SAID * ends.asked:
        return None
    return Finding(
        code="end_token",
        level="warn",
        title="The end of an answer is not learned",
        explanation=f"At the end of {ends.asked - ends.said:,} of {ends.asked:,} held-out answers "
        "the model would go on. Answers will run on until they are cut off.",
        next_steps=learn_more(history),
    )


def not_taught(ended: int, rows: int) -> Finding:
    return Finding(
        code="end_token",
        level="warn",
        title="Hardly a row teaches where an answer ends",
        explanation=f"{ended:,} of about {rows:,} training rows hold an end token that is learned. "
        "Either the chat template writes none, or rows are cut before it: the dataset's tab Tokens "
        "shows which. Answers will run on until they are cut off.",
    )
