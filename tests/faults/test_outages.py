"""Redis or the database are away, a process stands still: training goes on, nothing is lost."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import redis

from jobs.models import Status
from tests.faults.farm import (
    STEPS,
    Farm,
    assert_whole,
    fresh,
    losses,
    story,
    wait_for,
    wait_for_step,
    wait_until,
)
from tests.site_process import PATIENCE_SECONDS

LONG = 150
"""Steps of a run that is still at work when the fault is over."""


def test_redis_is_killed(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, 5)
    farm.redis.kill()
    waiting = farm.create_run()
    assert fresh(waiting).status == Status.QUEUED
    wait_for_step(run, STEPS // 2)
    farm.redis.start()
    farm.keep_up()
    assert_whole(farm, run, reference)
    assert fresh(run).attempt == 1, story(run)
    assert_whole(farm, waiting, reference)


def test_redis_forgets_everything(farm: Farm, reference: dict[int, float]) -> None:
    runs = [farm.create_run() for _ in range(3)]
    wait_for_step(runs[0], 5)
    farm.redis.flush()
    for run in runs:
        assert_whole(farm, run, reference)
        assert fresh(run).attempt == 1, story(run)


def test_the_database_is_locked(farm: Farm, reference: dict[int, float]) -> None:
    run = farm.create_run()
    wait_for_step(run, 5)
    with closing(sqlite3.connect(farm.folder / "db.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(10)  # the fault itself: nothing to wait for
        other.execute("ROLLBACK")
    assert_whole(farm, run, reference)
    assert fresh(run).attempt == 1, story(run)


def test_a_worker_that_stood_still_writes_nothing(farm: Farm) -> None:
    """Worker, job and trainer are stopped, given up for dead, and come back beside attempt 2."""
    run = farm.create_run(max_steps=LONG)
    wait_for_step(run, 5)
    trainer, worker = farm.trainer_of(run), farm.worker()
    assert trainer is not None
    zombies = [trainer, farm.horse()]
    for process in zombies:
        process.suspend()
    second = farm.start("worker", "training", MAXFT_FORK_SERVER="")  # it has one of its own
    wait_until(lambda: fresh(run).attempt == 2, "a second attempt")
    wait_until(lambda: run.events.filter(attempt=2, kind="log").exists(), "it makes steps")
    seen = run.events.filter(attempt=1).count()
    for process in zombies:
        process.resume()
    wait_until(lambda: not any(p.is_running() for p in zombies), "the zombies leave")
    assert run.events.filter(attempt=1).count() <= seen, story(run)
    assert wait_for(run, Status.SUCCEEDED, Status.FAILED).status == Status.SUCCEEDED
    assert list(losses(run)) == list(range(1, LONG + 1))
    assert fresh(run).attempt == 2
    for process in (second, worker):
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def test_redis_refuses_foreign_jobs(farm: Farm) -> None:
    """Who reaches Redis can queue what they like; the worker runs tasks of the site only."""
    from rq import Queue
    from rq.job import Job

    canary = farm.folder / "canary"
    with redis.Redis.from_url(farm.redis.url) as client:
        queue = Queue("training", connection=client, serializer="json")
        job = queue.enqueue("os.mkdir", str(canary))
        wait_until(lambda: Job.fetch(job.id, client, "json").is_failed, "the job is refused")
    assert not canary.exists()
