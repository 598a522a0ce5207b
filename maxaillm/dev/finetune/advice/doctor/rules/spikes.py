"""Spikes: single steps whose loss jumps up."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.advice.comparison import FloatArray
from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import MAD, Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.rate_too_high import rate_too_high
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

CLIP = "training.max_grad_norm"
SIDE, LEAST_SIDE = 10, 5
"""Steps before and after it that a step is compared with; fewer at the ends."""
SIGMAS, LEAST_RISE = 3.5, 0.2
"""Of the log of the loss, in robust standard deviations; of the loss itself. 3.5 is what Iglewicz
& Hoaglin (1993) call an outlier. That spikes happen is known (Chowdhery et al. 2022); no paper says
from where."""
LEAST_COUNT, ONE_IN, LEAST_LARGE = 3, 50, 2
"""So many spikes, or one in so many steps, are no chance; of those twice as high fewer suffice."""
STEEP = 8
"""The first such part of a run falls too steeply to be compared with what is around."""
MOST_CLIP = 1.0
MOST_TOLD = 50
"""Steps that are named one by one."""


def spikes(history: RunHistory, curves: Curves | None) -> Finding | None:
    """A remark: bad rows that are met again are learned, so few spikes are left to see."""
    if curves is None or has_diverged(history) or rate_too_high(history, curves):
        return None
    if history.tokens and history.tokens.trained <= history.tokens.rows:
        return None  # of a classifier, a batch with a rare label jumps as one with a wrong label
    found, surplus, large = spike_steps(curves)
    if surplus < max(LEAST_COUNT, curves.steps // ONE_IN) and large < LEAST_LARGE:
        return None
    clip = history.options.get(CLIP)
    is_open = not isinstance(clip, int | float) or not 0 < clip <= MOST_CLIP
    return Finding(
        code="spikes",
        level="note",
        title=f"Perhaps bad rows: the loss jumped at {len(found):,} steps",
        explanation=f"At step {found[0]:,} for the first time. Rows unlike all others do this: "
        "texts in another language, markup, wrong answers. The dataset's findings name such rows.",
        evidence=Evidence(
            metric="loss",
            first_step=found[0],
            last_step=found[-1],
            mark="jumps",
            steps=found[:MOST_TOLD],
        ),
        next_steps=[NextStep(label="Clip gradients", changes={CLIP: MOST_CLIP})] if is_open else [],
    )


def spike_steps(curves: Curves) -> tuple[list[int], int, int]:
    """The steps, counted from 1, that stand out upwards; how many more than downwards, which is
    how many are not by chance; and how many stand out twice as far."""
    first = max(LEAST_SIDE, curves.steps // STEEP)
    places = np.arange(first, curves.steps - LEAST_SIDE)
    if len(places) < 4 * SIDE:
        return [], 0, 0
    logs = np.log(np.maximum(curves.losses, 1e-3))
    usual = np.array([around(logs, int(at)) for at in places])
    rest = logs[places] - usual
    spread = max(float(MAD * np.median(np.abs(rest))), 0.01)
    is_seen = np.abs(curves.losses[places] - np.exp(usual)) > LEAST_RISE
    is_high, is_low = (is_seen & (side * rest > SIGMAS * spread) for side in (1, -1))
    is_large = is_seen & (rest > 2 * SIGMAS * spread)
    found = [int(at) + 1 for at in places[is_high]]
    return found, len(found) - int(is_low.sum()), int(is_large.sum())


def around(values: FloatArray, at: int) -> float:
    """The median of the values before and after a place."""
    beside = np.concatenate([values[max(0, at - SIDE) : at], values[at + 1 : at + 1 + SIDE]])
    return float(np.median(beside))
