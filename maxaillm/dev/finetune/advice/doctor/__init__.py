"""Run doctor: rules that say what is wrong with a run, from what it measured.

A rule is one module and one line in RULES: a function from the history of a run, and its curves
(None before the first evaluation), to a finding or None.
"""

from __future__ import annotations

from collections.abc import Callable

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.doctor.rules.best_is_not_last import best_is_not_last
from maxaillm.dev.finetune.advice.doctor.rules.end_token import end_token
from maxaillm.dev.finetune.advice.doctor.rules.exploding_gradient import exploding_gradient
from maxaillm.dev.finetune.advice.doctor.rules.few_rows import few_rows
from maxaillm.dev.finetune.advice.doctor.rules.few_trained_tokens import few_trained_tokens
from maxaillm.dev.finetune.advice.doctor.rules.flat_loss import flat_loss
from maxaillm.dev.finetune.advice.doctor.rules.imbalance import imbalance
from maxaillm.dev.finetune.advice.doctor.rules.memory import out_of_memory
from maxaillm.dev.finetune.advice.doctor.rules.noisy_evaluation import noisy_evaluation
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.doctor.rules.rate_too_high import rate_too_high
from maxaillm.dev.finetune.advice.doctor.rules.rate_too_low import rate_too_low
from maxaillm.dev.finetune.advice.doctor.rules.slow_input import slow_input
from maxaillm.dev.finetune.advice.doctor.rules.spikes import spikes
from maxaillm.dev.finetune.advice.doctor.rules.truncation import truncation
from maxaillm.dev.finetune.advice.history import RunHistory

Rule = Callable[[RunHistory, Curves | None], Finding | None]

LIVE: tuple[Rule, ...] = (
    rate_too_high,
    over_fitting,
    truncation,
    exploding_gradient,
    spikes,
    slow_input,
    end_token,
    few_rows,
    few_trained_tokens,
    noisy_evaluation,
    out_of_memory,
)
"""What can be told while a run trains; the more harmful first."""
AT_THE_END: tuple[Rule, ...] = (rate_too_low, best_is_not_last, flat_loss, imbalance)
"""What only a whole run shows."""
LIVE_STEPS, LIVE_SHARE = 20, 5
"""Before so many steps, or a fifth of the run, curves say nothing yet."""
LEVELS = ("bad", "warn", "note")


def examine(history: RunHistory, *, has_ended: bool) -> list[Finding]:
    """All findings on a run, the worst first."""
    curves = Curves.of(history)
    if not has_ended and is_too_early(history):
        curves = None
    rules = LIVE + AT_THE_END if has_ended else LIVE
    found = [finding for rule in rules if (finding := rule(history, curves))]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def is_too_early(history: RunHistory) -> bool:
    least = min(max(LIVE_STEPS, history.total_steps // LIVE_SHARE), history.total_steps)
    return len(history.losses) < least
