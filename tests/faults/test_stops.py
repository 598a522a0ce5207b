"""Cancel, pause and a worker's leave in every state: quick, truthful, nothing lost."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services import runs
from jobs.services.transitions import IllegalMoveError
from tests.faults.farm import (
    STEPS,
    Farm,
    assert_nothing_left,
    assert_whole,
    fresh,
    losses,
    wait_for,
    wait_for_step,
    wait_until,
)
from tests.site_process import PATIENCE_SECONDS


def ann() -> User:
    return User.objects.get(username="ann")


def cancel(run: Run, *, save: bool = False) -> None:
    runs.cancel_run(run=run, by=ann(), save=save)


def test_cancel_in_the_queue(farm: Farm) -> None:
    first, second = farm.create_run(), farm.create_run()
    wait_for(first, Status.STARTING, Status.RUNNING)
    cancel(second)
    assert fresh(second).status == Status.CANCELLED
    cancel(second)
    cancel(first)
    wait_for(first, Status.CANCELLED)
    assert fresh(second).attempt == 0


@pytest.mark.parametrize("status", [Status.STARTING, Status.RUNNING])
def test_cancel_at_work(farm: Farm, status: Status) -> None:
    run = farm.create_run(max_steps=4000)
    wait_for(run, status)
    cancel(run)
    cancel(run)
    assert wait_for(run, Status.CANCELLED, Status.SUCCEEDED).status == Status.CANCELLED
    assert not hasattr(fresh(run), "model")
    assert_nothing_left(farm, run)


def test_cancel_and_keep_the_model(farm: Farm) -> None:
    run = farm.create_run(max_steps=4000)
    wait_for_step(run, 3)
    cancel(run, save=True)
    run = wait_for(run, Status.CANCELLED, Status.FAILED)
    assert run.status == Status.CANCELLED
    assert (run.attempt_folder(1).model / "adapter_model.safetensors").is_file()
    assert run.model.source == str(run.attempt_folder(1).model)


def test_cancel_after_the_end(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for(run, Status.SUCCEEDED)
    with pytest.raises(IllegalMoveError):
        cancel(run)
    assert_whole(farm, run, reference)


def test_cancel_of_a_trainer_that_does_not_listen(farm: Farm) -> None:
    run = farm.create_run(max_steps=4000)
    wait_for_step(run, 2)
    trainer = farm.trainer_of(run)
    assert trainer is not None
    trainer.suspend()
    cancel(run)
    wait_for(run, Status.CANCELLED)
    assert_nothing_left(farm, run)


def test_pause_and_resume(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, 7)
    runs.pause_run(run=run, by=ann())
    paused = wait_for(run, Status.PAUSED, Status.SUCCEEDED)
    assert paused.status == Status.PAUSED
    runs.resume_run(run=paused, by=ann())
    assert_whole(farm, run, reference)


def test_a_damaged_checkpoint_is_passed_over(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, 7)
    runs.pause_run(run=run, by=ann())
    paused = wait_for(run, Status.PAUSED)
    newest = max(paused.attempt_folder(1).checkpoints.glob("step-*"))
    weights = newest / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    runs.resume_run(run=paused, by=ann())
    assert_whole(farm, run, reference)
    resumed = run.events.get(kind="resumed", attempt=2)
    assert resumed.step is not None
    assert resumed.data["checkpoint"] != newest.name
    warnings = run.events.filter(kind="warning", attempt=2)
    assert any(newest.name in warning.data["message"] for warning in warnings)


def test_worker_is_stopped_for_a_new_version(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, STEPS // 3)
    worker = farm.worker()
    worker.terminate()
    assert worker.wait(PATIENCE_SECONDS) == 0
    waiting = fresh(run)
    assert (waiting.status, waiting.idle_attempts) == (Status.QUEUED, 0)
    assert "goes on from its last checkpoint" in waiting.waiting_for
    done = max(losses(run))
    farm.keep_up()
    wait_until(lambda: run.events.filter(kind="resumed").exists(), "the run goes on")
    assert run.events.get(kind="resumed").step == done
    assert_whole(farm, run, reference)
