"""Rings for a worker when a run waits. A lost ring is rung again by the watchdog."""

from __future__ import annotations

import logging
from functools import partial

import django_rq
from django.db import transaction
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job

from jobs.models import Run

log = logging.getLogger(__name__)

QUEUE = "training"
TASK = "jobs.tasks.train"


def queue() -> Queue:
    # "auto": enqueue at once; we ourselves wait for the commit.
    return django_rq.get_queue(QUEUE, commit_mode="auto")


def ring_on_commit(run_id: int) -> None:
    transaction.on_commit(partial(ring, run_id))


def ring(run_id: int) -> bool:
    """Queue a job for a waiting run: one for each try, however often this is called.

    False where Redis is away: the run waits in the database until the watchdog rings again.
    """
    run = Run.objects.waiting().filter(pk=run_id).first()
    if run is None:
        return True
    try:
        queue().enqueue(TASK, run.pk, run.attempt, job_id=run.job_id, unique=True)
    except DuplicateJobError:
        return True
    except (RedisError, OSError) as error:
        log.warning("Run %s waits; no worker could be told: %s", run_id, error)
        return False
    return True


def ring_again(run: Run) -> None:
    """Replace the job of a run that waits although its job has left the queue."""
    training = queue()
    try:
        Job.fetch(
            run.job_id, connection=training.connection, serializer=training.serializer
        ).delete()
    except NoSuchJobError:
        log.info("Run %s waited without a job.", run.pk)
    ring(run.pk)


def queued_jobs() -> set[str]:
    """The names of the jobs that wait for a worker."""
    return set(queue().get_job_ids())
