"""What a waiting run is thought to need, for the forecast of the queue."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from jobs.models import Run
from jobs.services.resolve import resolve
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate import estimate


def note_length(run: Run) -> None:
    """Write down how many seconds a run will take; nothing where that can't be known."""
    try:
        resolved = resolve(run.parsed_config, run.owner, version=run.dataset, model=run.base_model)
        seconds = estimate(resolved.for_estimate(), Path(settings.DATA_DIR) / "cache").seconds
    except FineTuneError:
        return
    if seconds is not None:
        Run.objects.filter(pk=run.pk, needed_seconds=None).update(needed_seconds=seconds)
