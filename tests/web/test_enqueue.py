"""Background jobs on a real Redis: each once, after the commit, and nothing lost without Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from rq import Queue
from rq.job import Job, JobStatus

from maxft_site.web import enqueue as jobs
from maxft_site.web.enqueue import JobSpec, enqueue, enqueue_on_commit, queued_job_ids, requeue
from tests.redis_server import RedisServer, running_redis

JOB = JobSpec("light", "jobs.tasks.train", (7, 0), "run-7-0")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture(autouse=True)
def queue(server: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """In place of the queue without Redis."""
    for options in settings.RQ_QUEUES.values():
        monkeypatch.setitem(options, "URL", server.url)
    server.flush()
    return jobs.get_queue("light")


def job_in(queue: Queue) -> Job:
    return Job.fetch(JOB.id, queue.connection, serializer=queue.serializer)


def test_one_job_however_often_it_is_asked_for(queue: Queue) -> None:
    assert enqueue(JOB)
    assert enqueue(JOB)
    assert queue.get_job_ids() == [JOB.id]
    found = job_in(queue)
    assert (found.func_name, list(found.args)) == (JOB.task, [7, 0])
    assert queued_job_ids("light") == {JOB.id}
    assert queued_job_ids("training") == set()


@pytest.mark.django_db(transaction=True)
def test_after_the_commit_only(queue: Queue) -> None:
    with transaction.atomic():
        enqueue_on_commit(JOB)
        assert queue.get_job_ids() == []
    assert queue.get_job_ids() == [JOB.id]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue_on_commit(JOB._replace(id="run-8-0"))
        1 / 0  # noqa: B018
    assert queue.get_job_ids() == [JOB.id]


@pytest.mark.parametrize(
    ("status", "silent_for", "is_replaced"),
    [
        (JobStatus.QUEUED, timedelta(), False),
        (JobStatus.STARTED, timedelta(seconds=40), False),
        (JobStatus.STARTED, timedelta(minutes=4), True),
        (JobStatus.FAILED, timedelta(), True),
        (JobStatus.FINISHED, timedelta(), True),
    ],
)
def test_a_job_that_is_over_or_dead_is_replaced(
    queue: Queue, status: JobStatus, silent_for: timedelta, is_replaced: bool
) -> None:
    """A worker has taken the first job from the queue."""
    enqueue(JOB)
    queue.connection.delete(queue.key)
    first = job_in(queue)
    first.set_status(status)
    first.heartbeat(timezone.now() - silent_for, ttl=-1)
    assert enqueue(JOB)
    assert (queue.get_job_ids() == [JOB.id]) == is_replaced


def test_a_job_that_left_the_queue_is_put_back(queue: Queue) -> None:
    enqueue(JOB)
    queue.connection.delete(queue.key)
    requeue(JOB)
    requeue(JOB)
    assert queue.get_job_ids() == [JOB.id]
    requeue(JOB._replace(id="run-8-0"))
    assert queued_job_ids("light") == {JOB.id, "run-8-0"}


def test_without_redis_nothing_breaks_and_a_later_try_succeeds(
    server: RedisServer, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    try:
        assert not enqueue(JOB)
        assert "run-7-0 waits for the queue" in caplog.text
    finally:
        server.start()
    assert enqueue(JOB)
    assert queue.get_job_ids() == [JOB.id]
