"""Claims: whose run a free worker takes, what it costs, and who makes room."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import DeviceAccount, Run, Status
from jobs.services import attempts, runs
from jobs.services.ingest import MADE_ROOM, record_events
from jobs.services.queue import accounts, claims
from tests.jobs.runs import begin, event, fresh, logs, make_run, status_of


def waits(owner: User, **columns: Any) -> Run:
    run = make_run(owner, queued_at=timezone.now(), **columns)
    claims.enter_queue(run)
    return run


def claim(kind: str = "cpu") -> Run | None:
    return claims.claim_next(worker="worker-1", kind=kind)


def account(user: User, kind: str = "cpu") -> DeviceAccount:
    return DeviceAccount.objects.get(user=user, kind=kind)


def works(run: Run, seconds: float) -> None:
    """It has its device for so long, and ends."""
    accounts.charge(run, seconds)
    attempts.fail(run.pk, run.attempt, by="trainer", error={"message": "."})


def owners_in_turn(seconds: float, number: int) -> list[str]:
    found = []
    for _ in range(number):
        run = claim()
        assert run is not None
        found.append(run.owner.username)
        works(run, seconds)
    return found


def test_two_share_a_worker_however_many_runs_each_sends(alice: User, bob: User) -> None:
    for _ in range(4):
        waits(alice)
    for _ in range(2):
        waits(bob)
    assert owners_in_turn(60, 6) == ["alice", "bob", "alice", "bob", "alice", "alice"]
    assert claim() is None
    assert account(alice).device_seconds == 240


def test_an_owner_of_the_site_may_be_due_more(alice: User, ada: User, settings: Any) -> None:
    settings.OWNER_WEIGHT = 2.0
    for _ in range(4):
        waits(alice)
        waits(ada)
    assert owners_in_turn(60, 6).count("ada") == 4


def test_nobody_saves_up_time_by_being_away(alice: User, bob: User) -> None:
    for _ in range(6):
        waits(alice)
    owners_in_turn(100, 3)
    waits(bob)
    waits(bob)
    assert account(bob).virtual == account(alice).virtual == 300
    assert owners_in_turn(100, 4) == ["alice", "bob", "alice", "bob"]


def test_who_worked_alone_owes_nothing_to_who_comes_after(alice: User, bob: User) -> None:
    waits(alice)
    owners_in_turn(9000, 1)
    waits(bob)
    waits(alice)
    assert account(alice).virtual == account(bob).virtual == 9000


def test_a_night_on_idle_processors_costs_nothing_at_the_gpu(alice: User, bob: User) -> None:
    waits(alice)
    owners_in_turn(9000, 1)
    first, second = waits(alice), waits(bob)
    taken = [claim("cuda"), claim("cuda")]
    assert [run and run.pk for run in taken] == [first.pk, second.pk]
    assert taken[0] and taken[0].device_kind == "cuda"


def test_priority_goes_before_any_share(alice: User, bob: User) -> None:
    waits(alice)
    owners_in_turn(500, 1)
    waits(bob)
    urgent = waits(alice, priority=1)
    assert (claim() or urgent).pk == urgent.pk


def test_a_cap_on_runs_at_work(alice: User, bob: User, settings: Any, queue: Any) -> None:
    settings.MAX_RUNNING_RUNS = 1
    for owner in (alice, alice, bob):
        waits(owner)
    first, second = claim(), claim()
    assert first is not None
    assert second is not None
    assert (first.owner, second.owner, claim()) == (alice, bob, None)
    assert claims.startable() == 0
    works(first, 5)
    assert claims.startable() == 1
    assert (claim() or first).owner == alice


def at_work(owner: User) -> Run:
    waits(owner)
    run = claim()
    assert run is not None
    record_events(run.pk, run.attempt, [*begin(), *logs(3, range(1, 4))])
    return fresh(run)


def test_a_run_makes_room_for_who_is_more_than_a_quantum_behind(
    alice: User, bob: User, settings: Any
) -> None:
    settings.QUANTUM_SECONDS = 60
    run = at_work(alice)
    other = waits(bob)
    accounts.charge(run, 59)
    assert claims.make_room(run.pk, 1) is False
    accounts.charge(run, 1)
    assert claims.make_room(run.pk, 1) is True
    assert attempts.heartbeat(run.pk, 1) == "room"
    record_events(run.pk, 1, [event(9, "stopped", 3, action="release", saved=True)])
    run = fresh(run)
    assert (run.status, run.waiting_for, run.stop) == ("queued", MADE_ROOM, "")
    assert "bob" not in run.waiting_for
    assert run.idle_attempts == 0
    assert (claim() or run).pk == other.pk
    again = claim()
    assert again is not None
    assert (again.pk, again.attempt) == (run.pk, 2)


def test_it_stays_where_only_its_owner_waits(alice: User, settings: Any) -> None:
    settings.QUANTUM_SECONDS = 60
    run = at_work(alice)
    waits(alice)
    accounts.charge(run, 1000)
    assert claims.make_room(run.pk, 1) is False


def test_one_place_is_made_for_one_who_waits(alice: User, bob: User, settings: Any) -> None:
    settings.QUANTUM_SECONDS = 60
    first, second = at_work(alice), at_work(alice)
    waits(bob)
    accounts.charge(first, 200)
    assert claims.make_room(first.pk, 1) is True
    assert claims.make_room(second.pk, 1) is None


@pytest.mark.parametrize(("act", "ends"), [("pause", Status.PAUSED), ("cancel", Status.CANCELLED)])
def test_what_its_user_wants_counts_more(
    alice: User, bob: User, settings: Any, act: str, ends: Status
) -> None:
    settings.QUANTUM_SECONDS = 60
    run = at_work(alice)
    waits(bob)
    accounts.charge(run, 100)
    assert claims.make_room(run.pk, 1)
    if act == "pause":
        runs.pause_run(run=run, by=alice)
    else:
        runs.cancel_run(run=run, by=alice, save=False)
    record_events(run.pk, 1, [event(9, "stopped", 3, action="release", saved=True)])
    assert status_of(run) == ends


def test_a_trainer_that_dies_while_it_makes_room_is_lost_once(
    alice: User, bob: User, settings: Any
) -> None:
    settings.QUANTUM_SECONDS = 60
    run = at_work(alice)
    waits(bob)
    accounts.charge(run, 100)
    assert claims.make_room(run.pk, 1)
    assert attempts.lose(run.pk, 1, by="worker", why="The trainer was killed.")
    assert not attempts.lose(run.pk, 1, by="watchdog", why="Its worker stopped answering.")
    assert (fresh(run).status, fresh(run).stop) == ("queued", "")
    assert (claim() or run).owner == bob
