"""Trainer, job process and worker are killed at a random step: the run goes on and is whole."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import psutil
import pytest

from jobs.models import Run, Status
from tests.faults.farm import (
    STEPS,
    Farm,
    assert_whole,
    fresh,
    kill,
    story,
    wait_for,
    wait_for_step,
    wait_until,
)

SOME_STEP = random.Random(os.environ.get("MAXFT_FAULT_SEED")).randrange(3, STEPS - 8)


def trainer(farm: Farm, run: Run) -> psutil.Process:
    found: psutil.Process = wait_until(lambda: farm.trainer_of(run), "the trainer runs")
    return found


def test_trainer(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, SOME_STEP)
    kill(trainer(farm, run))
    wait_until(lambda: fresh(run).attempt == 2, "a second attempt")
    assert_whole(farm, run, reference)
    lost = run.transitions.get(to="queued", came_from="running")
    assert lost.why == "The trainer was killed by SIGKILL."


@pytest.mark.parametrize("victim", [Farm.horse, Farm.worker])
def test_who_watches_the_trainer(
    farm: Farm, reference: dict[int, float], victim: Callable[[Farm], psutil.Process]
) -> None:
    """The trainer dies with it; where the worker itself is gone, the watchdog notices."""
    run = farm.create_run()
    wait_for_step(run, SOME_STEP)
    process = trainer(farm, run)
    kill(victim(farm))
    wait_until(lambda: not process.is_running(), "the trainer is gone")
    farm.keep_up()
    assert_whole(farm, run, reference)
    assert fresh(run).attempt == 2, story(run)


def test_trainer_while_it_saves(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, 1)
    staging = run.attempt_folder(1).checkpoints / ".staging"
    wait_until(lambda: any(staging.iterdir()), "a checkpoint is written", every_seconds=0.005)
    kill(trainer(farm, run))
    assert_whole(farm, run, reference)


def test_trainer_three_times_without_a_new_step(farm: Farm) -> None:
    run = farm.create_run()
    for attempt in (1, 2, 3):
        wait_until(lambda n=attempt: fresh(run).attempt == n, "the next attempt")
        kill(trainer(farm, run))
    run = wait_for(run, Status.FAILED, Status.SUCCEEDED)
    assert run.error["code"] == "poison_pill"


def test_stuck_trainer(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, SOME_STEP)
    trainer(farm, run).suspend()
    wait_until(lambda: fresh(run).attempt == 2, "a second attempt")
    assert "no progress" in run.transitions.get(to="queued", came_from="running").why
    assert_whole(farm, run, reference)
