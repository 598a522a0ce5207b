"""Enqueue background jobs: each by its id and once, after the commit, with Redis there or not."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import django_rq
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus

WAITING = frozenset({JobStatus.QUEUED, JobStatus.DEFERRED, JobStatus.SCHEDULED})
SILENT = timedelta(minutes=3)
"""Without a heartbeat for so long a started job is dead; its worker sends one every 30 seconds."""
log = logging.getLogger(__name__)


class JobSpec(NamedTuple):
    """A job to enqueue: ids only, for the database says what is to be done."""

    queue: str
    """One of `RQ_QUEUES`."""
    task: str
    """The function, by its dotted name."""
    args: tuple[int | str, ...]
    id: str


def enqueue_on_commit(job: JobSpec) -> None:
    """Enqueue once what the job will read is in the database; nothing after a rollback."""
    transaction.on_commit(partial(enqueue, job))


def enqueue(job: JobSpec) -> bool:
    """See that a job of this id is queued or at work; one that has ended or died is replaced.

    False where Redis is away: the work waits until it is asked for again, as the watchdog does.
    """
    try:
        if not add(job) and not is_pending(job):
            requeue(job)
    except (RedisError, OSError) as error:
        log.warning("%s waits for the queue: %s", job.id, error)
        return False
    return True


def requeue(job: JobSpec) -> None:
    """Enqueue in place of the job that has this id, whatever its state. Raises RedisError."""
    found = fetch(job)
    if found is not None:
        found.delete()
    add(job)


def is_pending(job: JobSpec) -> bool:
    """Whether the job is queued, or at work with a heartbeat. Raises RedisError."""
    found = fetch(job)
    if found is None:
        return False
    status = found.get_status()
    if status == JobStatus.STARTED:
        beat = found.last_heartbeat
        return beat is not None and timezone.now() - beat < SILENT
    return status in WAITING


def queued_job_ids(queue: str) -> set[str]:
    """The ids of the jobs that wait for a worker. Raises RedisError."""
    return set(get_queue(queue).get_job_ids())


def add(job: JobSpec) -> bool:
    """False where there is a job of this id already, whatever its state. Raises RedisError."""
    try:
        get_queue(job.queue).enqueue(job.task, *job.args, job_id=job.id, unique=True)
    except DuplicateJobError:
        return False
    return True


def fetch(job: JobSpec) -> Job | None:
    queue = get_queue(job.queue)
    try:
        return Job.fetch(job.id, queue.connection, serializer=queue.serializer)
    except NoSuchJobError:
        return None


def get_queue(name: str) -> Queue:
    # "auto": at once. django-rq's own wait for the commit would lose what Redis answers.
    return django_rq.get_queue(name, commit_mode="auto")
