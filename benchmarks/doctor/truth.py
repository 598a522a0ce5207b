"""What was wrong with a run of the corpus: decided by facts that the doctor does not see.

Those are the loss on a large exam after each evaluation, the ends of runs that differ in one
option (another learning rate, more rows, twice the steps), answers that were written, and what was
done to the run on purpose. Each condition has a limit from which on it holds and a lower one up to
which it does not; between the two a run counts neither way, as where no sibling tells.

This was written before the corpus was trained and before any rule was tried on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite, sqrt
from typing import Literal

import numpy as np

from benchmarks.doctor.record import Record

Truth = Literal["yes", "no", "either"]
LONGER = "constant, twice as long"


class Exam:
    """The course of a run on the exam."""

    def __init__(self, record: Record) -> None:
        points = [(step, inf if loss is None else loss) for step, loss in record.unseen.exam]
        self.steps = [step for step, _ in points]
        self.losses = [loss for _, loss in points] or [inf]
        self.base, self.end = self.losses[0], self.losses[-1]
        self.best = min(self.losses)
        self.best_step = self.steps[self.losses.index(self.best)] if points else 0
        guess = record.unseen.exam_guess
        self.reference = min(self.base, guess) if guess else self.base
        late = record.history.late_loss
        is_worse = self.end > 1.05 * self.base
        trains_worse = late is None or not isfinite(late) or late > 1.05 * self.base
        self.is_lost = bool(record.unseen.failed) or not isfinite(self.end)
        self.is_lost |= is_worse and trains_worse

    @property
    def gain(self) -> float:
        return self.base - self.best


def between(value: float, most_no: float, least_yes: float) -> Truth:
    """`yes` from the higher limit on, `no` up to the lower one."""
    if value >= least_yes:
        return "yes"
    return "no" if value <= most_no else "either"


def with_other_rate(record: Record, corpus: Sequence[Record], *, higher: bool) -> list[Exam]:
    """Runs that differ in a learning rate at least three times as high, or as low."""
    rate = record.history.learning_rate or 0.0
    return [
        Exam(other)
        for other in corpus
        if (other.group, other.data) == (record.group, record.data)
        and (
            (other.history.learning_rate or 0) >= 2.9 * rate
            if higher
            else (other.history.learning_rate or 0) <= rate / 2.9
        )
    ]


def rate_too_high(record: Record, corpus: Sequence[Record]) -> Truth:
    """The model was lost, or with a third of the rate or less its best is better by a quarter of
    all that can be gained."""
    own = Exam(record)
    if own.is_lost:
        return "yes"
    others = with_other_rate(record, corpus, higher=False)
    best = min((other.best for other in others), default=inf)
    gain = max(own.gain, own.base - best)
    if not others or gain <= 0.02 * own.base:
        rose = max(own.losses) > 1.05 * own.base and own.end < max(own.losses)
        return "either" if rose else "no"
    return between((own.best - best) / gain, 0.10, 0.25)


def rate_too_low(record: Record, corpus: Sequence[Record]) -> Truth:
    """With three times the rate or more, it gains twice as much."""
    own = Exam(record)
    others = with_other_rate(record, corpus, higher=True)
    best = min((other.best for other in others), default=inf)
    if own.is_lost or not isfinite(best) or own.best - best < 0.02 * own.base:
        return "no"
    if own.best - best < 0.05 * own.base:
        return "either"
    missed = 1 - own.gain / (own.base - best)
    return between(missed, 0.25, 0.5)


def learned_nothing(record: Record, corpus: Sequence[Record]) -> Truth:
    """The end is no better than the base model, or than a guess."""
    own = Exam(record)
    if own.is_lost:
        return "either"
    gained = (own.reference - own.end) / own.reference
    return between(-gained, -0.03, -0.01)


def flat_loss(record: Record, corpus: Sequence[Record]) -> Truth:
    """At a constant rate the last third gains a fiftieth of the whole, and twice the steps no more
    than a thirtieth."""
    own = Exam(record)
    if record.history.options.get("training.lr_scheduler_type") != "constant":
        return "no"
    if own.is_lost or own.gain < 0.05 * own.base or own.end > 1.02 * own.best:
        return "either"
    early = [loss for step, loss in zip(own.steps, own.losses, strict=True)
             if step <= own.steps[-1] * 2 / 3]  # fmt: skip
    late_gain = (min(early) - own.best) / own.gain
    longer = [Exam(o) for o in corpus if o.group == record.group and o.condition == LONGER]
    if not longer or record.condition == LONGER:
        return between(-late_gain, -0.08, -0.02)
    more = (own.best - longer[0].best) / own.gain
    return between(-max(late_gain, more), -0.08, -0.03)


def over_fitting(record: Record, corpus: Sequence[Record]) -> Truth:
    """The exam's loss rose by a twentieth above its best, while that of the training rows fell."""
    own = Exam(record)
    if own.is_lost:
        return "no"
    truth = between(own.end / own.best, 1.02, 1.05)
    losses = record.history.losses
    window = max(5, len(losses) // 10)
    around = losses[max(0, own.best_step - window) : own.best_step + window]
    if truth == "yes" and (own.best_step in own.steps[-2:] or not falls(losses[-window:], around)):
        return "either"
    return truth


def falls(late: Sequence[float], around: Sequence[float]) -> bool:
    return float(np.median(late)) < float(np.median(around))


def best_is_not_last(record: Record, corpus: Sequence[Record]) -> Truth:
    own = Exam(record)
    if own.is_lost or record.history.options.get("training.load_best_model_at_end"):
        return "either"
    return between(own.end / own.best, 1.01, 1.02)


def spikes(record: Record, corpus: Sequence[Record]) -> Truth:
    """Steps whose batch held a row of garbage stand out from the steps around them."""
    if not record.unseen.has_poison:
        return "no"
    losses = np.array(record.history.losses, dtype=float)
    poisoned = [step - 1 for step in record.unseen.poisoned_steps if step <= len(losses)]
    clean = np.setdiff1d(np.arange(len(losses)), poisoned)
    count = sum(stands_out(losses, clean, at) for at in poisoned)
    return between(count, 1, max(3, len(losses) // 50))


def stands_out(losses: np.ndarray, clean: np.ndarray, at: int) -> bool:
    """By three robust standard deviations of the twenty clean steps around it."""
    nearest = losses[clean[np.argsort(np.abs(clean - at))[:20]]]
    middle = float(np.median(nearest))
    spread = max(1.4826 * float(np.median(np.abs(nearest - middle))), 0.02)
    return bool(losses[at] > middle + 3 * spread)


def few_rows(record: Record, corpus: Sequence[Record]) -> Truth:
    """A run with four times the rows or more, else alike, gains more by a tenth."""
    own, rows = Exam(record), rows_of(record)
    if rows >= 150 or own.is_lost:
        return "no" if rows >= 150 else "either"
    alike = [o for o in corpus if o.group == record.group and o.condition == "healthy"]
    more = [Exam(o) for o in alike if rows_of(o) >= 4 * rows]
    if not more or more[0].gain <= 0.02 * own.base:
        return "either"
    return between((own.best - more[0].best) / more[0].gain, 0.03, 0.10)


def rows_of(record: Record) -> int:
    return record.history.tokens.rows if record.history.tokens else 0


def truncation(record: Record, corpus: Sequence[Record]) -> Truth:
    return between(record.unseen.cut_share, 0.05, 0.10)


def few_trained_tokens(record: Record, corpus: Sequence[Record]) -> Truth:
    return between(-record.unseen.trained_share, -0.10, -0.05)


def imbalance(record: Record, corpus: Sequence[Record]) -> Truth:
    """A rare label is missed in half of the exam's rows that have it, the frequent one is not."""
    recalls = [found for found in record.unseen.recalls if found[2] >= 10]
    if len(recalls) < 2:
        return "no"
    shares = [share for _, share, _, _ in recalls]
    if max(shares) <= 3 * min(shares):
        return "no"
    told = {name: right / rows for name, _, rows, right in recalls}
    rare = min(recalls, key=lambda found: found[1])
    frequent = max(recalls, key=lambda found: found[1])
    if min(told.values()) >= 0.7:
        return "no"
    is_missed = told[rare[0]] < 0.5 and rare[1] <= 0.4 / len(recalls)
    return "yes" if is_missed and told[frequent[0]] >= 0.9 else "either"


def slow_input(record: Record, corpus: Sequence[Record]) -> Truth:
    return between(record.unseen.slept_share, 0.10, 0.30)


def small_evaluation(record: Record, corpus: Sequence[Record]) -> Truth:
    """By the exam's rows, chance moves the gain on so few rows by more than a third of itself."""
    own, error = Exam(record), record.unseen.error_of_one_row
    rows, gain = record.history.held_out_rows or 0, abs(own.base - own.end)
    if own.is_lost or error is None or not rows or gain < 0.02 * own.base:
        return "either"
    truth = between(error / sqrt(rows) / gain, 0.2, 0.35)
    return "either" if truth == "no" and rows < 20 else truth


def end_token(record: Record, corpus: Sequence[Record]) -> Truth:
    """Fewer than half of the answers to exam prompts end by themselves."""
    if record.unseen.stops is None:
        return "no"
    asked, ended = record.unseen.stops
    return between(-ended / asked, -0.8, -0.5)


def out_of_memory(record: Record, corpus: Sequence[Record]) -> Truth:
    return "no" if record.unseen.memory_limit is None else "yes"


TRUTHS: dict[str, Callable[[Record, Sequence[Record]], Truth]] = {
    "rate_too_high": rate_too_high,
    "rate_too_low": rate_too_low,
    "learned_nothing": learned_nothing,
    "flat_loss": flat_loss,
    "over_fitting": over_fitting,
    "best_is_not_last": best_is_not_last,
    "spikes": spikes,
    "few_rows": few_rows,
    "truncation": truncation,
    "few_trained_tokens": few_trained_tokens,
    "imbalance": imbalance,
    "slow_input": slow_input,
    "noisy_evaluation": small_evaluation,
    "end_token": end_token,
    "out_of_memory": out_of_memory,
}
"""By the code of the finding that says so."""
SAYS: dict[str, frozenset[str]] = {
    "rate_too_high": frozenset({"rate_too_high", "exploding_gradient", "diverged"}),
    "learned_nothing": frozenset({"learned_nothing"}),
    "best_is_not_last": frozenset({"best_is_not_last", "over_fitting"}),
}
"""Codes of findings, and of the verdict above them, that say a condition; else its own alone."""
