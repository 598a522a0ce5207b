"""A run of several processes from the site: all die with the worker, and the run goes on."""

from __future__ import annotations

import pytest

from jobs.models import Status
from maxaillm.dev.finetune.hf.templates import PROGRAM
from tests.faults.farm import (
    Farm,
    assert_nothing_left,
    folder_of,
    fresh,
    kill,
    losses,
    wait_for,
    wait_for_step,
    wait_until,
)


@pytest.mark.slow
def test_two_processes_die_with_the_worker_and_go_on(
    farm: Farm, reference: dict[int, float]
) -> None:
    run = farm.create_run(devices=2, per_device_train_batch_size=1)
    wait_for_step(run, 12)
    root = str(run.root)
    family = [process for process in farm.processes() if folder_of(process).startswith(root)]
    renders = [process for process in family if str(PROGRAM) in process.cmdline()]
    assert len(family) - len(renders) == 4, "who starts them, torchrun and two trainers"
    kill(farm.worker())
    wait_until(lambda: not any(p.is_running() for p in family), "all are gone")

    farm.keep_up()
    run = wait_for(run, Status.SUCCEEDED, Status.FAILED)
    assert run.status == Status.SUCCEEDED, run.error
    assert fresh(run).attempt == 2
    # each process drops other units, so it is the same curve but not the same figures
    assert losses(run) == pytest.approx(reference, abs=0.03)
    assert_nothing_left(farm, run)
