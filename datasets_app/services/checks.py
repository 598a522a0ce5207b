"""Checks of files: queued, run in a child process, recorded all at once or not at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from filelock import Timeout

from datasets_app.checking.child import FINDINGS, ROWS
from datasets_app.checking.parent import Outcome, check_file
from datasets_app.errors import NotReadyError
from datasets_app.models import Dataset, DatasetVersion, Finding
from datasets_app.pages.text import storable
from datasets_app.services.hub_fetch import fetch_source
from datasets_app.storage.blobs import keep_blob
from maxaillm.dev.finetune.processes.file_lock import file_lock
from maxft_site.web.enqueue import JobSpec, enqueue_on_commit

Status = DatasetVersion.Status
logger = logging.getLogger(__name__)


def check_job(version: DatasetVersion) -> JobSpec:
    """The job of a check. One that has to fetch its file keeps nobody else's check waiting."""
    return JobSpec(
        queue="fetch" if version.awaits_file else "light",
        task="datasets_app.tasks.check_version",
        args=(version.pk, version.check_number),
        id=f"check-{version.pk}-{version.check_number}",
    )


def queue_check(version: DatasetVersion) -> None:
    """Enqueue a check after the commit; `requeue_lost_checks` finds those that were not."""
    enqueue_on_commit(check_job(version))


def check_again(version: DatasetVersion, **changes: Any) -> bool:
    """Queue one more check of a version that was checked or whose check got lost.

    False where somebody else was quicker.
    """
    mine = DatasetVersion.objects.filter(
        pk=version.pk, status=version.status, check_number=version.check_number
    )
    changes |= {"status": Status.CHECKING, "progress": 0, "error": None}
    with transaction.atomic():
        if not mine.update(check_number=version.check_number + 1, **changes):
            return False
        version.refresh_from_db()
        queue_check(version)
    return True


def run_check(*, version: DatasetVersion) -> None:
    """Read the file and record what was found, unless a newer check has begun meanwhile.

    Nothing happens where another process checks this version.
    """
    version.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = file_lock(version.root / "check.lock").acquire(blocking=False)
    except Timeout:
        return
    with lock:
        if not wanted(version).exists():
            return
        sweep_stages(version)
        stage = version.root / f"check-{version.check_number}"
        outcome = checked(version, stage)
        if outcome is None or not record_check(
            version=version, outcome=outcome, files=kept_files(stage, outcome)
        ):
            logger.info("%s was overtaken by a newer check", check_job(version).id)
        sweep_stages(version)


def sweep_stages(version: DatasetVersion) -> None:
    """Remove what this check and those that were killed have left half done."""
    for stage in version.root.glob("check-*"):
        shutil.rmtree(stage, ignore_errors=True)


def checked(version: DatasetVersion, stage: Path) -> Outcome | None:
    if version.awaits_file:
        fetched = fetch_source(version, stage.with_name(f"{stage.name}-hub"), wanted(version))
        if fetched != Outcome():
            return fetched
    try:
        task = task_of(version, stage)
    except NotReadyError as error:
        return Outcome(error=error.as_json())
    return check_file(task, lambda share: wanted(version).update(progress=share) > 0)


def task_of(version: DatasetVersion, stage: Path) -> dict[str, Any]:
    """What the child process is to do: read the upload, or make rows of those of the parents."""
    parts: list[dict[str, Any]] = [{"path": str(version.source_path), "times": 1}]
    if version.recipe is not None:
        parts = [
            {
                "id": parent.pk,
                "name": str(parent),
                "path": str(parent.rows_path),
                "findings": str(parent.findings_path),
                "times": version.recipe.get("times", {}).get(str(parent.pk), 1),
            }
            for parent in version.parents.order_by("pk")
        ]
        if len(parts) < len(version.recipe.get("times", ("the one",))):
            raise NotReadyError(
                "A dataset that this one was made of has been deleted since.",
                "Join the others anew.",
            )
    return {
        "parts": parts,
        "recipe": version.recipe,
        "file_name": version.file_name,
        "format": version.format,
        "reading": version.reading,
        "folder": str(stage),
    }


def kept_files(stage: Path, outcome: Outcome) -> dict[str, str]:
    """Put what a check wrote among the files that stay; gives the columns that name them."""
    if outcome.report is None:
        return {}
    return {
        f"{name}_sha256": keep_blob(stage / name)
        for name in (ROWS, FINDINGS)
        if (stage / name).exists()
    }


def wanted(version: DatasetVersion) -> QuerySet[DatasetVersion]:
    """The version, as long as exactly this check of it is awaited: not once it is deleted."""
    return DatasetVersion.objects.filter(
        pk=version.pk,
        check_number=version.check_number,
        status=Status.CHECKING,
        dataset__in=Dataset.objects.filter(deleted=None),
    )


def record_failure(*, version: DatasetVersion) -> None:
    """The check itself broke: say so, rather than let the version wait for ever."""
    error = {
        "code": "check_failed",
        "message": "The check stopped because of a mistake in the site.",
        "hint": "Check the file again; if it happens again, look into the worker's log.",
    }
    record_check(version=version, outcome=Outcome(error=error))


def record_check(
    *, version: DatasetVersion, outcome: Outcome, files: Mapping[str, str] | None = None
) -> bool:
    """Store the result of a check with its findings. False where a newer one has begun."""
    report = storable(outcome.report or {})
    error = storable(outcome.error or report.pop("error", None))
    status = report.pop("status", Status.INVALID)
    with transaction.atomic():
        changed = wanted(version).update(
            **report,
            **(files or {}),
            status=status,
            error=error,
            progress=1,
            checked=timezone.now(),
        )
        if not changed:
            return False
        version.findings.all().delete()
        Finding.objects.bulk_create(
            (Finding(version=version, **finding) for finding in outcome.findings), batch_size=500
        )
    version.refresh_from_db()
    return True
