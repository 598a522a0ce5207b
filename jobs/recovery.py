"""Brings a run whose attempt has died to a truthful state."""

from __future__ import annotations

import shutil

from jobs.models import Run
from jobs.services import attempts
from jobs.services.ingest import FencedError, record_events
from maxaillm.dev.finetune.checkpoints import STAGING
from maxaillm.dev.finetune.events import read_journal


def recover(run: Run, *, by: str, why: str) -> None:
    """Record what the attempt wrote down before it died; if that was no end, the run is lost.

    Harmless where somebody else does it too: one of both comes too late and changes nothing.
    """
    folder = run.attempt_folder(run.attempt)
    try:
        record_events(run.pk, run.attempt, list(read_journal(folder.journal)))
    except FencedError:
        return
    shutil.rmtree(folder.checkpoints / STAGING, ignore_errors=True)
    attempts.lose(run.pk, run.attempt, by=by, why=why)
