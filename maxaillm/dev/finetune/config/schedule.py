"""Schedule of the learning rate: what share of it a step has, as transformers' schedulers have it.

For what is said of a run before it is there; training itself asks the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, cos, pi, sqrt

from maxaillm.dev.finetune.config.training import TrainingSection

DECAYING_SHARE = 0.2
"""Of a run by warmup_stable_decay (Hägele et al. 2024, section 3)."""
LEAST_SHARE = 0.1
"""To end at a tenth is usual (Hoffmann et al. 2022, appendix B)."""
INVERSE_SQRT_SCALE = 10_000
"""Of inverse_sqrt without a warm-up."""
FALLING: dict[str, Callable[[float], float]] = {
    "linear": lambda done: 1 - done,
    "polynomial": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + cos(pi * done)),
    "cosine_with_min_lr": lambda done: LEAST_SHARE + (1 - LEAST_SHARE) * 0.5 * (1 + cos(pi * done)),
}
"""What is left of the learning rate, by the share of the steps behind the warm-up that are done."""


def rate_share(training: TrainingSection, step: int, steps: int) -> float:
    """The share of the learning rate after `step` steps of a run of `steps`, 0 to 1."""
    warmup = training.warmup_steps or ceil(training.warmup_ratio * steps)
    kind = training.lr_scheduler_type
    if kind == "constant":
        return 1.0
    if step < warmup:
        return step / warmup
    if kind == "inverse_sqrt":
        scale = warmup or INVERSE_SQRT_SCALE
        return 1 / sqrt((step + scale - warmup) / scale)
    if kind == "warmup_stable_decay":
        decaying = max(1, round(DECAYING_SHARE * steps))
        done = min(1.0, max(0.0, (step - steps + decaying) / decaying))
        return FALLING["cosine"](done)
    if kind not in FALLING:
        return 1.0
    return max(0.0, FALLING[kind](min(1.0, (step - warmup) / max(1, steps - warmup))))
