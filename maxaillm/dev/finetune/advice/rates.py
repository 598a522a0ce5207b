"""Learning rates to try next."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

RATE, EPOCHS, STEPS = "training.learning_rate", "training.num_train_epochs", "training.max_steps"
USUAL = 3.0
"""Within such a factor a rate is as recommended for the method."""
LONGER = 3
MOST_EPOCHS = 1000
MOST_RATE = 1.0


def lower_rate(history: RunHistory) -> list[NextStep]:
    """Start again with the rate that is recommended, or a tenth where it was not above that."""
    rate, recommended = history.learning_rate, history.recommended_rate
    if rate is None:
        return []
    lower = recommended if recommended and rate > USUAL * recommended else rate / 10
    return [with_rate("Lower the learning rate", lower)]


def learn_more(history: RunHistory) -> list[NextStep]:
    """Start again with a higher rate where it was below the usual, else for longer."""
    rate, recommended = history.learning_rate, history.recommended_rate
    if rate and recommended and rate * USUAL < recommended:
        return [with_rate("Raise the learning rate", recommended)]
    steps = [train_longer(history)]
    if rate and rate * USUAL <= MOST_RATE:
        steps.append(with_rate("Raise the learning rate", rate * USUAL))
    return steps


def train_longer(history: RunHistory) -> NextStep:
    if history.epochs is None:
        return NextStep(label="Train longer", changes={STEPS: LONGER * max(1, history.total_steps)})
    return NextStep(
        label="Train longer", changes={EPOCHS: min(LONGER * history.epochs, MOST_EPOCHS)}
    )


def with_rate(label: str, rate: float) -> NextStep:
    return NextStep(label=label, changes={RATE: float(f"{rate:.2g}")})
