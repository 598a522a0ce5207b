"""Intervals of a run: how often it logs, evaluates and saves where that is not given."""

from __future__ import annotations

from typing import NamedTuple, Self

POINTS = 1000
"""Of a curve, at most about so many: more than a screen is wide."""
EVALUATIONS = 10
"""In a run: enough to see a loss turn, and a few percent of the time at 5 % held out."""
LEAST_SAVED, MOST_SAVED = 50, 500
"""Steps between checkpoints: fewer would write more than they save, and 500 is the default of
Hugging Face's Trainer. Between the two, a tenth of the run."""


class Intervals(NamedTuple):
    """Steps from one point of the curves, evaluation and checkpoint to the next."""

    logging: int
    evaluation: int
    saving: int

    @classmethod
    def of(cls, steps: int) -> Self:
        """Those of a run of so many steps."""
        tenth = max(1, -(-steps // EVALUATIONS))
        saved = min(max(tenth, LEAST_SAVED), MOST_SAVED, max(1, steps))
        return cls(logging=max(1, steps // POINTS), evaluation=tenth, saving=saved)
