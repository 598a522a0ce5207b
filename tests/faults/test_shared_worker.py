"""Two users share one worker: a run makes room with a checkpoint, killed meanwhile or not."""

from __future__ import annotations

import pytest

from jobs.models import DeviceAccount, Run, Status
from jobs.services.ingest import MADE_ROOM
from tests.faults.farm import (
    Farm,
    assert_nothing_left,
    fresh,
    kill,
    losses,
    story,
    wait_for,
    wait_for_step,
    wait_until,
)

LONG, SHORT = 80, 5
"""Steps; some of them fill the quantum of a second, however fast the processor is."""


def assert_done_once(farm: Farm, run: Run, steps: int) -> None:
    run = wait_for(run, Status.SUCCEEDED, Status.FAILED)
    assert run.status == Status.SUCCEEDED, story(run)
    assert run.transitions.filter(to=Status.SUCCEEDED).count() == 1
    assert list(losses(run)) == list(range(1, steps + 1))
    assert_nothing_left(farm, run)


@pytest.mark.parametrize("is_killed", [False, True], ids=["left alone", "killed meanwhile"])
def test_a_long_run_makes_room_for_somebody_elses(farm: Farm, is_killed: bool) -> None:
    long = farm.create_run(owner="ann", max_steps=LONG, save_steps=LONG)
    wait_for_step(long, 1)
    short = farm.create_run(owner="ben", max_steps=SHORT)
    wait_until(lambda: fresh(long).stop == Run.Stop.ROOM or fresh(long).attempt > 1, "a pause")
    if is_killed and (trainer := farm.trainer_of(long)):
        kill(trainer)
    assert_done_once(farm, short, SHORT)
    assert_done_once(farm, long, LONG)
    begun = short.transitions.filter(to=Status.STARTING).earliest("time")
    assert begun.time < long.transitions.get(to=Status.SUCCEEDED).time, story(long)
    if not is_killed:
        left = long.transitions.filter(to=Status.QUEUED, came_from=Status.RUNNING).first()
        assert left is not None, story(long)
        assert left.why == MADE_ROOM
        resumed = long.events.filter(kind="resumed").first()
        assert resumed is not None
        assert resumed.step
    for run in (long, short):
        account = DeviceAccount.objects.get(user=run.owner, kind="cpu")
        assert account.device_seconds >= fresh(run).device_seconds > 0
