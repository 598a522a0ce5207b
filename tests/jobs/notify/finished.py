"""A run that has finished."""

from __future__ import annotations

from django.contrib.auth.models import User

from jobs.models import Run
from jobs.services.ingest import record_events
from tests.jobs.runs import running, success


def finished(owner: User) -> Run:
    run = running(owner)
    record_events(run.pk, run.attempt, success(10))
    return run
