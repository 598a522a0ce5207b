"""What the queue runs. Jobs carry ids only; the database says what is to be done."""

from __future__ import annotations

import os

from jobs.notify import sender
from jobs.services.lifecycle import later
from jobs.services.queue import claims
from jobs.tokens import process
from jobs.training import engine_jobs, hub_push
from jobs.training.runner import Runner
from jobs.training.workers import device_kind


def train(*_from_before: int) -> None:
    """Make an attempt at the waiting run whose turn it is; nothing where none may start."""
    worker = os.environ.get("RQ_WORKER_ID", "worker")
    run = claims.claim_next(worker=worker, kind=device_kind())
    if run is not None:
        Runner(run, run.worker).carry_out()
        later.release_due(worker)
        claims.call_for_more()


def show_tokens(version_id: int, key: str, part: int) -> None:
    """Find out what the model will see of a dataset; nothing where that is known."""
    process.show(version_id, key, part)


def carry_out(kind: str, pk: int) -> None:
    """Make an export or an evaluation that was asked for; nothing where it has ended."""
    engine_jobs.carry_out(kind, pk)


def push_to_hub(pk: int) -> None:
    """Push an export to the Hub; nothing where that has ended."""
    hub_push.carry_out(pk)


def deliver(pk: int) -> None:
    """Try to send a notice; nothing where it has arrived."""
    sender.deliver(pk)
