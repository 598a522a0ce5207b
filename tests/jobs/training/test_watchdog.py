"""The watchdog finds the dead by its own clock and their locks, and enqueues what lost its job."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Run, Status
from jobs.services import attempts
from jobs.training import watchdog
from jobs.training.watchdog import DEAD_SECONDS, FROZEN_SECONDS, LOST_SECONDS, Watchdog
from maxaillm.dev.finetune.processes.record_lock import hold_record_lock
from tests.jobs.runs import begin, fresh, logs, losses_of, make_run, path_of, running, status_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(alice: User) -> Run:
    run = running(alice)
    run.attempt_folder(1).root.mkdir(parents=True)
    return run


def hold(path: Path, ready: Any, done: Any) -> None:
    with hold_record_lock(path):
        ready.set()
        done.wait()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process holds the lock `path`."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(path, ready, done))
    process.start()
    ready.wait()
    try:
        yield
    finally:
        done.set()
        process.join()


def sweeps(watchdog: Watchdog, clock: Clock, seconds: float) -> None:
    watchdog.reap()
    clock.now += seconds
    watchdog.reap()


def test_a_silent_attempt_is_dead(watched: Run, clock: Clock) -> None:
    sweeps(Watchdog(clock), clock, DEAD_SECONDS)
    run = fresh(watched)
    assert (run.status, run.waiting_for) == ("queued", "Its worker stopped answering.")


def test_one_that_beats_lives(watched: Run, clock: Clock) -> None:
    watcher = Watchdog(clock)
    for _ in range(5):
        attempts.heartbeat(watched.pk, 1)
        sweeps(watcher, clock, DEAD_SECONDS - 1)
    assert status_of(watched) == Status.RUNNING


def test_the_wall_clock_does_not_matter(
    watched: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watchdog(clock)
    watcher.reap()
    later = timezone.now() + timezone.timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    watcher.reap()
    assert status_of(watched) == Status.RUNNING


@pytest.mark.parametrize("name", ["lock", "watch_lock"])
def test_one_whose_lock_is_held_may_be_slow(watched: Run, clock: Clock, name: str) -> None:
    folder = watched.attempt_folder(1)
    watcher = Watchdog(clock)
    with held(getattr(folder, name)):
        sweeps(watcher, clock, DEAD_SECONDS)
        assert status_of(watched) == Status.RUNNING
    watcher.reap()
    assert status_of(watched) == Status.QUEUED


def test_one_that_stands_still_is_given_up(watched: Run, clock: Clock) -> None:
    folder = watched.attempt_folder(1)
    folder.heartbeat.write_text("7")
    watcher = Watchdog(clock)
    with held(folder.lock):
        sweeps(watcher, clock, FROZEN_SECONDS - 1)
        assert status_of(watched) == Status.RUNNING
        clock.now += 1
        watcher.reap()
    assert status_of(watched) == Status.QUEUED


def test_a_trainer_without_a_way_to_the_database_gets_more_time(watched: Run, clock: Clock) -> None:
    folder = watched.attempt_folder(1)
    watcher = Watchdog(clock)
    with held(folder.lock):
        watcher.reap()
        for count in range(int(LOST_SECONDS // 10) - 1):
            clock.now += 10
            folder.heartbeat.write_text(str(count))
            watcher.reap()
        assert status_of(watched) == Status.RUNNING
        clock.now += 10
        watcher.reap()
    assert status_of(watched) == Status.QUEUED


def test_what_the_dead_wrote_is_recorded_first(watched: Run, clock: Clock) -> None:
    write_journal(watched, [*begin(), *logs(3, range(1, 4))])
    sweeps(Watchdog(clock), clock, DEAD_SECONDS)
    assert sorted(losses_of(watched)) == [1, 2, 3]
    assert path_of(watched) == ["starting", "running", "queued"]


def test_a_last_word_is_the_truth(watched: Run) -> None:
    """The trainer was done; who should have recorded it died before."""
    from tests.jobs.runs import STEPS, success

    write_journal(watched, [*begin(), *logs(3, range(1, STEPS + 1)), *success(3 + STEPS)])
    watchdog.recover_after_crash()
    assert status_of(watched) == Status.SUCCEEDED


def test_leftovers_are_deleted(watched: Run) -> None:
    folder = watched.attempt_folder(1)
    (folder.checkpoints / ".staging" / "checkpoint-5").mkdir(parents=True)
    (folder.root / ".run.json.77").touch()
    watchdog.recover_after_crash()
    assert [path.name for path in folder.root.rglob(".*")] == []


def test_a_run_at_work_elsewhere_is_left_alone(watched: Run) -> None:
    with held(watched.attempt_folder(1).watch_lock):
        watchdog.recover_after_crash()
    assert status_of(watched) == Status.RUNNING


def test_a_run_without_a_job_is_enqueued_again(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second sweep: a job that was just taken is not in the queue any more either."""
    queued: list[str] = []
    make_run(alice, queued_at=timezone.now())
    monkeypatch.setattr(watchdog, "queued_job_ids", lambda _: set(queued))
    monkeypatch.setattr(watchdog, "requeue", lambda job: queued.append(job.id))
    watcher = Watchdog()
    watcher.requeue_lost_runs()
    assert queued == []
    watcher.requeue_lost_runs()
    watcher.requeue_lost_runs()
    assert len(queued) == 1


def write_journal(run: Run, events: list[Any]) -> None:
    from maxaillm.dev.finetune.run.events import Journal

    with Journal(run.attempt_folder(1).journal) as journal:
        for event in events:
            journal.append(event.kind, event.step, event.data)
