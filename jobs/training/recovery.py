"""Brings a run whose attempt has died to a truthful state."""

from __future__ import annotations

import shutil

from jobs.models import Run
from jobs.services import attempts
from jobs.services.ingest import FencedError, record_events
from maxaillm.dev.finetune.run.checkpoints import STAGING
from maxaillm.dev.finetune.run.events import RunFolder, read_journal


def recover(run: Run, *, by: str, why: str) -> None:
    """Record what the attempt wrote down before it died; if that was no end, the run is lost.

    Harmless where somebody else does it too: one of both comes too late and changes nothing.
    """
    folder = run.attempt_folder(run.attempt)
    clear_leftovers(folder)
    try:
        record_events(run.pk, run.attempt, list(read_journal(folder.journal)))
    except FencedError:
        return
    attempts.lose(run.pk, run.attempt, by=by, why=why)


def clear_leftovers(folder: RunFolder) -> None:
    """Delete what a trainer that has died was about to write."""
    shutil.rmtree(folder.checkpoints / STAGING, ignore_errors=True)
    for path in folder.root.glob(".*"):
        if path.is_file():
            path.unlink(missing_ok=True)
