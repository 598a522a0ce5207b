"""Slow input: training waits for its batches."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

WORKERS = "data.dataloader_num_workers"
LEAST_STEPS = 10
MUCH = 0.2
"""Of the time. PyTorch's tuning guide asks for workers that keep the device busy and names no
share; of a healthy run of tokenised text it is some hundredths."""
ENOUGH_WORKERS = 2


def slow_input(history: RunHistory, curves: Curves | None) -> Finding | None:
    share = history.input_share
    if history.timed_steps < LEAST_STEPS or share < MUCH:
        return None
    workers = history.options.get(WORKERS)
    more = max(ENOUGH_WORKERS, 2 * workers) if isinstance(workers, int) else ENOUGH_WORKERS
    step = history.input_seconds / history.timed_steps
    return Finding(
        code="slow_input",
        level="warn",
        title=f"Training waits for its rows {share:.0%} of the time",
        explanation=f"Each step waited {1000 * step:,.0f} ms for its batch and computed "
        f"{1000 * history.step_seconds / history.timed_steps:,.0f} ms. A slow disk or a data "
        "processor does this.",
        evidence=Evidence(
            metric="tokens_per_second",
            first_step=1,
            last_step=len(history.losses),
            mark="waits for rows",
        ),
        next_steps=[NextStep(label="Read rows ahead", changes={WORKERS: more})],
    )
