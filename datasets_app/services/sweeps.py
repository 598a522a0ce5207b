"""Sweeps over datasets, done by the watchdog: lost checks, abandoned uploads, unused files."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from datasets_app.models import DatasetVersion, Upload
from datasets_app.services.checks import check_again, check_job
from datasets_app.services.deletion import orphan_folders, purge_datasets
from datasets_app.services.quota import digests_of
from datasets_app.services.uploads import discard_upload
from datasets_app.storage.blobs import remove_unused
from maxft_site.web.enqueue import is_pending

ABANDONED = timedelta(hours=24)
logger = logging.getLogger(__name__)


def requeue_lost_checks() -> int:
    """Queue the checks again that no job stands for any more; gives their number.

    One whose dataset is deleted ends; if that is taken back, it is queued here.
    """
    checking = DatasetVersion.objects.filter(status=DatasetVersion.Status.CHECKING)
    waiting = checking.filter(dataset__deleted=None)
    try:
        lost = (version for version in waiting if not is_pending(check_job(version)))
        return sum(map(check_again, lost))
    except (RedisError, OSError) as error:
        logger.warning("Lost checks wait for the queue: %s", error)
        return 0


def sweep_uploads() -> int:
    """Discard uploads that nothing was added to for a day, and files without an owner."""
    before = (timezone.now() - ABANDONED).timestamp()
    swept = 0
    for upload in Upload.objects.all():
        if newest_touch(upload.path, upload.created.timestamp()) < before:
            discard_upload(upload=upload)
            swept += 1
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    folder = Path(settings.UPLOADS_DIR)
    files = list(folder.iterdir()) if folder.exists() else []
    for path in [file for file in files if file.name not in known] + orphan_folders():
        if newest_touch(path, before) < before:
            remove(path)
            swept += 1
    swept += purge_datasets()
    return swept + remove_unused(used_blobs())


def used_blobs() -> set[str]:
    """The digests of all files that a version, deleted or not, stands on."""
    return digests_of(DatasetVersion.objects.all())


def newest_touch(path: Path, otherwise: float) -> float:
    """When `path` was last written to, in seconds of the clock."""
    return path.stat().st_mtime if path.exists() else otherwise


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
