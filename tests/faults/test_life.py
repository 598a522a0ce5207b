"""Extensions and chains of runs, with kills in the middle: whole, and started exactly once."""

from __future__ import annotations

from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services.lifecycle import extension, later
from jobs.services.runs import Later
from tests.faults.farm import (
    STEPS,
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

MORE = 20


def test_a_trainer_that_is_killed_in_an_extension(farm: Farm) -> None:
    """It goes on from the extension's own checkpoint, and has every step once, the old ones too."""
    old = wait_for(farm.create_run(), Status.SUCCEEDED, Status.FAILED)
    before = losses(old)
    asked = extension.plan(old, steps=MORE)
    run = extension.extend_run(run=old, by=old.owner, asked=asked)
    wait_for_step(run, STEPS + 8)
    kill(wait_until(lambda: farm.trainer_of(run), "the trainer runs"))
    run = wait_for(run, Status.SUCCEEDED, Status.FAILED)
    assert run.status == Status.SUCCEEDED, story(run)
    assert run.attempt == 2
    found = losses(run)
    assert sorted(found) == list(range(1, STEPS + MORE + 1))
    assert {step: found[step] for step in before} == before
    resumed = [event.step for event in run.events.filter(kind="resumed").order_by("seq")]
    assert resumed[0] == STEPS
    assert resumed[1] > STEPS
    assert_nothing_left(farm, run)


def test_a_successor_starts_once_though_the_site_is_killed(farm: Farm) -> None:
    """Between the end of the first and the start of the second everything dies; and the second
    makes room for somebody else, as any run does."""
    first = farm.create_run(max_steps=6)
    config = first.parsed_config
    long = config.training.model_copy(update={"max_steps": STEPS})
    second = later.start(
        owner=first.owner,
        config=config.model_copy(update={"training": long}),
        later=Later(first),
    )
    assert fresh(second).attempt == 0
    wait_for(first, Status.SUCCEEDED, Status.FAILED)
    for process in farm.started:
        kill(process)
        process.wait()
    assert fresh(second).status == Status.QUEUED, story(second)
    farm.keep_up()
    wait_for_step(second, 1)
    other = farm.create_run(owner="bob", max_steps=6)
    for run in (other, second):
        ended = wait_for(run, Status.SUCCEEDED, Status.FAILED)
        assert ended.status == Status.SUCCEEDED, story(ended)
    second = fresh(second)
    assert second.base_model == fresh(first).model
    assert sorted(losses(second)) == list(range(1, STEPS + 1))
    assert second.transitions.filter(came_from="queued", to="queued").count() == 1, story(second)
    assert second.transitions.filter(to="succeeded").count() == 1
    assert made_room(second), story(second)
    assert User.objects.filter(runs=second).get() == first.owner


def made_room(run: Run) -> bool:
    """Whether it left its device for somebody else, and then went on."""
    return run.transitions.filter(to="queued", why__startswith="It made room").exists()
