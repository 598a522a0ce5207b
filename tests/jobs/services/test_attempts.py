"""Attempts: one worker gets a run, a lost attempt is made again, three in vain are enough."""

import pytest
from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services import attempts
from jobs.services.ingest import record_events
from tests.jobs.runs import begin, claimed, fresh, logs, make_run, path_of, running, status_of


def test_one_of_two_workers_gets_the_run(alice: User) -> None:
    run = make_run(alice)
    first = attempts.claim(run.pk, worker="worker-1")
    assert first is not None
    assert (first.attempt, first.status, first.worker) == (1, "starting", "worker-1")
    assert attempts.claim(run.pk, worker="worker-2") is None


def test_a_lost_attempt_is_made_again(alice: User) -> None:
    run = running(alice)
    assert attempts.lose(run.pk, 1, by="watchdog", why="The worker died.")
    run = fresh(run)
    assert (run.status, run.waiting_for, run.worker) == ("queued", "The worker died.", "")
    assert claimed(run).attempt == 2


def test_losing_twice_loses_once(alice: User) -> None:
    run = running(alice)
    assert attempts.lose(run.pk, 1, by="watchdog", why="The worker died.")
    assert not attempts.lose(run.pk, 1, by="worker", why="The worker died.")
    assert path_of(run) == ["starting", "running", "queued"]


@pytest.mark.django_db(transaction=True)
def test_a_lost_run_is_enqueued_again(alice: User, queue) -> None:
    run = running(alice)
    attempts.lose(run.pk, 1, by="watchdog", why="The worker died.")
    assert [(job.queue, job.args) for job in queue.jobs] == [("training", ())]


def test_three_attempts_without_a_new_step_end_the_run(alice: User) -> None:
    run = make_run(alice)
    for number in (1, 2, 3):
        assert status_of(run) == Status.QUEUED
        claimed(run)
        attempts.lose(run.pk, number, by="watchdog", why="Killed.")
    run = fresh(run)
    assert run.status == Status.FAILED
    assert run.error["code"] == "poison_pill"
    assert "Killed." in run.error["message"]
    assert run.error["hint"]


def test_a_new_step_starts_the_count_anew(alice: User) -> None:
    run = make_run(alice)
    for number, steps in enumerate((range(1, 4), range(2, 4), range(2, 4), range(2, 5)), start=1):
        claimed(run)
        record_events(run.pk, number, [*begin(), *logs(3, steps)])
        attempts.lose(run.pk, number, by="watchdog", why="Killed.")
        assert status_of(run) == Status.QUEUED
    for number in (5, 6):
        claimed(run)
        attempts.lose(run.pk, number, by="watchdog", why="Killed.")
        assert status_of(run) == Status.QUEUED
    claimed(run)
    attempts.lose(run.pk, 7, by="watchdog", why="Killed.")
    assert status_of(run) == Status.FAILED


def test_a_released_attempt_is_no_failure(alice: User) -> None:
    run = make_run(alice)
    for number in range(1, 6):
        claimed(run)
        attempts.release(run.pk, number, by="worker", why="The worker was stopped.")
    assert status_of(run) == Status.QUEUED


@pytest.mark.parametrize(
    ("status", "left"),
    [(Status.CANCELLING, Status.CANCELLED), (Status.PAUSING, Status.PAUSED)],
)
@pytest.mark.parametrize("leave", [attempts.lose, attempts.release])
def test_a_dead_trainer_can_be_cancelled_and_paused(alice: User, status, left, leave) -> None:
    run = make_run(alice, status=status, attempt=1)
    assert leave(run.pk, 1, by="watchdog", why="The worker died.")
    assert status_of(run) == left


def test_a_heartbeat_counts_and_returns_the_requested_stop(alice: User) -> None:
    run = running(alice)
    assert attempts.heartbeat(run.pk, 1) == ""
    Run.objects.filter(pk=run.pk).update(stop="pause")
    assert attempts.heartbeat(run.pk, 1) == "pause"
    assert fresh(run).heartbeat == 2
    assert attempts.heartbeat(run.pk, 2) is None
    attempts.lose(run.pk, 1, by="watchdog", why="The worker died.")
    assert attempts.heartbeat(run.pk, 1) is None
