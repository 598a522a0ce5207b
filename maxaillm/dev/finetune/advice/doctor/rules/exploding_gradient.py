"""Exploding gradient: far longer than it was, at a step or for good."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.rates import lower_rate

LEAST_STEPS, WINDOW = 20, 50
AT_ONCE, FOR_GOOD = 100, 10
"""Times the usual: of the steps before it; of the first steps. No source; no run that was tried
shows it while gradients are clipped, so this is a remark."""


def exploding_gradient(history: RunHistory, curves: Curves | None) -> Finding | None:
    if curves is None or len(curves.norms) != curves.steps or curves.steps < LEAST_STEPS:
        return None
    norms = curves.norms
    first = float(np.median(norms[: max(5, curves.steps // 10)]))
    late = float(np.median(norms[-curves.window :]))
    step = first_jump(norms)
    if step is None and late <= FOR_GOOD * first:
        return None
    words = f"rose from {figure(first)} to {figure(late)}"
    if step is not None:
        words = f"was {figure(float(norms[step - 1]))} at step {step:,}, a hundred times the usual"
    return Finding(
        code="exploding_gradient",
        level="note",
        title="Perhaps unstable: the gradient grew far beyond its usual length",
        explanation=f"Its norm {words}.",
        evidence=Evidence(
            metric="grad_norm",
            first_step=step or 1,
            last_step=step or curves.steps,
            mark="gradient jumps" if step else "gradient grows",
            first_value=first,
            last_value=late if step is None else float(norms[step - 1]),
        ),
        next_steps=lower_rate(history),
    )


def first_jump(norms: np.ndarray) -> int | None:
    for at in range(10, len(norms)):
        if norms[at] > AT_ONCE * np.median(norms[max(0, at - WINDOW) : at]) > 0:
            return at + 1
    return None
