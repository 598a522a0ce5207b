"""Divergence: training has made the model worse than it was, and goes on doing so."""

from __future__ import annotations

from statistics import median

from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.rates import lower_rate
from maxaillm.dev.finetune.advice.verdict import Verdict

ABOVE = 1.05
"""Above the base by so much at the end: both on the rows that are trained on, and on those that
are held out; on these alone it is over-fitting. Of 30 real curves, six had diverged: all were
found, none else."""
FAR_ABOVE = 1.5
"""Above the start by so much for long while it trains, or at the end where no rows are held out:
a run is given up only where nobody would hope."""
LEAST_STEPS, MOST_STEPS = 20, 200


def is_diverging(history: RunHistory) -> bool:
    """Whether the loss of the newest steps stays far above its start, and above a mere guess,
    and does not fall.

    They are a fifth of the run, 20 at least and 200 at most: a spike, a bad batch and a warm-up
    pass, and a run that recovers has its time.
    """
    window = min(max(history.total_steps // 5, LEAST_STEPS), MOST_STEPS)
    start, newest = history.start_loss, history.losses[-window:]
    if start is None or start <= 0 or len(history.losses) <= window:
        return False
    earlier, later = median(newest[: window // 2]), median(newest[window // 2 :])
    return min(earlier, later) > limit_of(history, start) and later >= earlier


def limit_of(history: RunHistory, start: float) -> float:
    return max(FAR_ABOVE * start, history.guess_loss or 0.0)


def has_diverged(history: RunHistory) -> bool:
    """Whether the run ended with a ruined model."""
    end, start, late = history.end, history.start_loss, history.late_loss
    if history.given_up or (end and end.number(EVAL_LOSS) is None):
        return True
    if start is None or late is None or start <= 0:
        return False
    held_out, base = end.number(EVAL_LOSS) if end else None, history.base_loss
    if held_out is not None and base is not None:
        return held_out > ABOVE * base and late > ABOVE * start
    return held_out is None and late > limit_of(history, start)


def diverged(history: RunHistory) -> Verdict | None:
    """The verdict on a run that has diverged; None on others."""
    if not has_diverged(history):
        return None
    return Verdict(
        code="diverged",
        level="bad",
        title="Diverged: training ruined the model",
        explanation=" ".join(filter(None, (what_the_loss_did(history), what_is_left(history)))),
        next_steps=lower_rate(history),
        comparison=history.comparison,
    )


def what_the_loss_did(history: RunHistory) -> str:
    words = [history.given_up] if history.given_up else []
    if not words and history.course:
        words.append(f"The training loss rose {history.course}.")
    held_out = history.end.number(EVAL_LOSS) if history.end else None
    if history.base_loss is not None and held_out is not None:
        words.append(
            f"On held-out rows it is {figure(held_out)}, that of the base model "
            f"{figure(history.base_loss)}{beside_a_guess(history, held_out)}."
        )
    return " ".join(words)


def beside_a_guess(history: RunHistory, loss: float) -> str:
    guess = history.guess_loss
    return f", and a mere guess has {figure(guess)}" if guess and loss > guess else ""


def what_is_left(history: RunHistory) -> str:
    best = history.best
    if best is None:
        return "No model is kept of it."
    return f"At step {best.step:,} it was still better than its base."
