"""Runs that wait for a time or for another run: in turn exactly once, or held with the reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Run, Transition
from jobs.services import runs
from jobs.services.deletion import RunInUseError, delete_run
from jobs.services.lifecycle import later, retry
from jobs.services.lifecycle.later import WaitError
from jobs.services.queue import accounts, claims
from jobs.services.queue.forecast import foretell
from maxaillm.dev.finetune.config import RunConfig
from tests.jobs.lives import ended, leave_model
from tests.jobs.runs import fresh, make_dataset, make_run

SOON = timedelta(hours=1)


def begin(owner: User, after: Run | None = None, start_at: Any = None, **sections: Any) -> Run:
    data = {"dataset": make_dataset(owner).dataset_id}
    config = RunConfig.parse({"model": {"name": "starter/chat"}, "data": data} | sections)
    return later.start(owner=owner, config=config, later=runs.Later(after, start_at))


def end(run: Run, status: str, *, has_model: bool = True, **columns: Any) -> None:
    if has_model:
        leave_model(run)
    Run.objects.filter(pk=run.pk).update(status=status, **columns)


@pytest.mark.django_db(transaction=True)
def test_a_run_starts_from_the_model_of_another_once(alice: User, queue: Any) -> None:
    first = make_run(alice)
    second = begin(alice, first)
    assert claims.claim_next(worker="w", kind="cpu").pk == first.pk
    assert claims.claim_next(worker="w", kind="cpu") is None
    assert (queue.jobs, foretell({"cpu": 1})) == ([], {})
    end(first, "succeeded")
    assert [later.release_due("watchdog") for _ in range(2)] == [1, 0]
    assert len(queue.jobs) == 1
    second = fresh(second)
    assert (second.is_ready, second.base_model) == (True, fresh(first).model)
    assert second.parsed_config.model.name == fresh(first).model.name
    assert claims.claim_next(worker="w", kind="cpu") == second
    why = Transition.objects.get(run=second, came_from="queued", to="queued").why
    assert why == f"It starts from the model of run {first.pk}."


def test_a_finished_run_is_not_waited_for(alice: User) -> None:
    first = ended(alice)
    second = begin(alice, first)
    assert (second.is_ready, second.base_model) == (True, first.model)


@pytest.mark.parametrize(
    ("status", "has_model", "columns", "words"),
    [
        ("failed", False, {}, "failed without a model"),
        ("cancelled", False, {}, "was stopped without a model"),
        ("cancelled", True, {}, "was stopped, with a model of then"),
        ("succeeded", True, {"verdict": {"code": "diverged", "level": "bad"}}, "diverged"),
    ],
)
def test_what_ends_badly_holds_its_successor(
    alice: User, status: str, has_model: bool, columns: Any, words: str
) -> None:
    first = make_run(alice)
    second = begin(alice, first)
    end(first, status, has_model=has_model, **columns)
    assert later.release_due("watchdog") == 0
    wait = later.wait_of(fresh(second))
    assert wait.is_held
    assert words in wait.text
    assert wait.may_use_model == has_model
    if has_model:
        later.start_anyway(run=fresh(second), by=alice)
        assert fresh(second).base_model == fresh(first).model
    else:
        with pytest.raises(WaitError, match="no model"):
            later.start_anyway(run=fresh(second), by=alice)
        later.wait_for(run=fresh(second), before=None, by=alice)
    assert fresh(second).is_ready


def test_who_tries_the_first_again_takes_the_second_along(alice: User) -> None:
    first = ended(alice, "failed", error={"code": "poison_pill", "message": "", "hint": ""})
    waiting = make_run(alice, after=first, is_ready=False)
    again = retry.retry_run(run=first, by=alice)
    assert fresh(waiting).after == again


def test_circles_are_refused(alice: User) -> None:
    first = make_run(alice, is_ready=False, start_at=timezone.now() + SOON)
    second = begin(alice, first)
    third = begin(alice, second)
    for before in (first, second, third):
        with pytest.raises(WaitError, match="in a circle none would ever start"):
            later.wait_for(run=first, before=before, by=alice)
    later.wait_for(run=third, before=first, by=alice)
    assert fresh(third).after == first


def test_a_run_that_others_wait_for_is_not_deleted(alice: User) -> None:
    first = make_run(alice)
    second = begin(alice, first)
    with pytest.raises(RunInUseError, match=f"Run {second.pk} .* will start from its model"):
        delete_run(run=first, by=alice)
    runs.cancel_run(run=second, by=alice, save=False)
    delete_run(run=first, by=alice)


def test_an_adapter_that_does_not_merge_is_not_waited_for(alice: User) -> None:
    first = make_run(alice)
    first.config["tuning"] = {"name": "prompt_tuning"}
    first.save()
    with pytest.raises(WaitError, match="can't be merged"):
        begin(alice, first)


def test_a_run_starts_at_its_time(alice: User) -> None:
    run = begin(alice, start_at=timezone.now() + SOON)
    assert later.release_due("watchdog") == 0
    assert claims.claim_next(worker="w", kind="cpu") is None
    Run.objects.filter(pk=run.pk).update(start_at=timezone.now())
    assert later.release_due("watchdog") == 1
    assert claims.claim_next(worker="w", kind="cpu") == run


@pytest.mark.parametrize("far", [-SOON, timedelta(0), timedelta(days=400)])
def test_a_time_that_is_over_or_too_far_is_refused(alice: User, far: timedelta) -> None:
    with pytest.raises(WaitError, match=r"is over|more than a year"):
        begin(alice, start_at=timezone.now() + far)


def test_paused_meanwhile_it_still_waits(alice: User) -> None:
    run = begin(alice, start_at=timezone.now() + SOON)
    runs.pause_run(run=run, by=alice)
    Run.objects.filter(pk=run.pk).update(start_at=timezone.now())
    assert later.release_due("watchdog") == 0
    runs.resume_run(run=fresh(run), by=alice)
    assert later.release_due("watchdog") == 1


def test_who_only_waits_is_in_nobodys_way(alice: User, bob: User) -> None:
    """An account is lifted when its user comes into turn, not before."""
    begin(alice, start_at=timezone.now() + SOON)
    make_run(bob)
    assert accounts.active_users("cpu") == {bob.pk}
