"""Imbalance: a rare label is missed, which the accuracy hides."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import LabelCount, RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

LOSS = "training.loss"
WEIGHTED = "weighted_cross_entropy"
RARE = 0.4
"""Of the share that each label would have, were all alike."""
MISSED = 0.5
"""Of the held-out rows with it."""
LEAST_ROWS = 2
"""Held-out rows with a label, to say that it is missed."""
FEW = 10
"""Training rows with a label: with fewer it is perhaps missed, also where none is held out."""


def imbalance(history: RunHistory, curves: Curves | None) -> Finding | None:
    """By what the end measured: shares alone harm nobody (He & Garcia 2009, section 2)."""
    labels = history.labels
    whole = sum(label.trained for label in labels)
    if len(labels) < 2 or not whole or has_diverged(history):
        return None
    rare = [one for one in labels if one.trained <= RARE * whole / len(labels) and is_missed(one)]
    frequent = max(labels, key=lambda label: label.trained)
    if not rare or frequent.right < 0.9 * frequent.held_out:
        return None
    return finding(history, min(rare, key=lambda label: label.trained), whole)


def is_missed(label: LabelCount) -> bool:
    if label.held_out < LEAST_ROWS:
        return label.trained < FEW and not label.right
    return label.right < MISSED * label.held_out


def finding(history: RunHistory, label: LabelCount, whole: int) -> Finding:
    name = label.name if len(label.name) <= 40 else f"{label.name[:39]}…"
    is_sure = label.held_out >= LEAST_ROWS
    is_weighted = WEIGHTED in str(history.options.get(LOSS))
    weigh = NextStep(label="Weigh the labels", changes={LOSS: {"name": WEIGHTED}})
    return Finding(
        code="imbalance",
        level="warn" if is_sure else "note",
        title=f"The rare label {name} is missed" if is_sure else f"Perhaps missed: label {name}",
        explanation=f"{label.trained:,} of {whole:,} training rows have it; of the "
        f"{label.held_out:,} held-out rows with it, {label.right:,} were told. The accuracy hides "
        "that; macro F1 shows it. More rows of this label help most.",
        next_steps=[] if is_weighted else [weigh],
    )
