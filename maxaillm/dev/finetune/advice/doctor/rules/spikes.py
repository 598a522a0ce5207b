"""Spikes: single steps whose loss jumps up, with a long gradient."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.advice.divergence import has_diverged
from maxaillm.dev.finetune.advice.doctor.curves import MAD, Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.doctor.rules.over_fitting import over_fitting
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

CLIP = "training.max_grad_norm"
WINDOW = 25
"""Steps before it that a step is compared with."""
SIGMAS, LONGER, LEAST_RISE = 2.5, 2.0, 0.2
"""Of the log of the loss, in robust standard deviations; of the gradient, beside its median; of
the loss itself. That spikes happen is known (Chowdhery et al. 2022); no paper says from where."""
MOST_CLIP = 1.0
MOST_TOLD = 50
"""Steps that are named one by one."""


def spikes(history: RunHistory, curves: Curves | None) -> Finding | None:
    """A remark: bad rows that are met again are learned, so few spikes are left to see."""
    if curves is None or len(curves.norms) != curves.steps or has_diverged(history):
        return None
    found = spike_steps(curves)
    if len(found) < max(2, curves.steps // 100) or over_fitting(history, curves):
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


def spike_steps(curves: Curves) -> list[int]:
    """The steps, counted from 1."""
    if curves.steps <= WINDOW:
        return []
    logs = np.log(np.maximum(curves.losses, 1e-3))
    past = np.lib.stride_tricks.sliding_window_view(logs, WINDOW)[:-1]
    usual = np.median(past, axis=1)
    spread = np.maximum(MAD * np.median(np.abs(past - usual[:, None]), axis=1), 0.02)
    norms = np.lib.stride_tricks.sliding_window_view(curves.norms, WINDOW)[:-1]
    is_long = curves.norms[WINDOW:] > LONGER * np.median(norms, axis=1)
    is_high = (logs[WINDOW:] - usual > SIGMAS * spread) & (
        curves.losses[WINDOW:] - np.exp(usual) > LEAST_RISE
    )
    return [int(at) + WINDOW + 1 for at in np.flatnonzero(is_high & is_long)]
