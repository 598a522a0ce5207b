"""Deleting datasets: hidden at once, gone for good a week later."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from datasets_app.errors import DatasetInUseError
from datasets_app.models import Dataset, DatasetVersion
from datasets_app.selectors import runs_on
from datasets_app.storage import blobs

KEPT = timedelta(days=7)
NAMED_RUNS = 5


def delete_dataset(*, dataset: Dataset) -> None:
    """Hide a dataset; refused while runs use it, which are named."""
    with transaction.atomic():
        runs = [str(run) for run in runs_on(dataset)]
        if runs:
            more = f" and {len(runs) - NAMED_RUNS} more" if len(runs) > NAMED_RUNS else ""
            raise DatasetInUseError(
                f"{dataset.name} is used by {', '.join(runs[:NAMED_RUNS])}{more}.",
                "Delete these runs first; they need the rows to go on, to be retried or compared.",
            )
        Dataset.objects.filter(pk=dataset.pk, deleted=None).update(deleted=timezone.now())


def restore_dataset(*, dataset: Dataset) -> None:
    """Take a deletion back."""
    Dataset.objects.filter(pk=dataset.pk).update(deleted=None)


def purge_datasets() -> int:
    """Remove rows and files of what was deleted a week ago; gives the number of datasets."""
    return sum(
        purge_dataset(dataset=dataset)
        for dataset in Dataset.objects.filter(deleted__lt=timezone.now() - KEPT)
    )


def purge_dataset(*, dataset: Dataset) -> bool:
    """Remove it for good; False where a deleted run that may come back still needs it, and where
    it was taken back meanwhile.

    Files that nothing else stands on go with the next sweep.
    """
    roots = [version.root for version in dataset.versions.all()]
    try:
        removed, _ = Dataset.objects.filter(pk=dataset.pk).exclude(deleted=None).delete()
    except ProtectedError:
        return False
    if not removed:
        return False
    for root in roots:
        shutil.rmtree(root, ignore_errors=True)
    return True


def orphan_folders() -> list[Path]:
    """Folders of datasets that no version owns, such as those of an interrupted import."""
    root = Path(settings.DATASETS_DIR)
    found = {path.name: path for path in root.iterdir()} if root.exists() else {}
    owned = {str(folder) for folder in DatasetVersion.objects.values_list("folder", flat=True)}
    return [path for name, path in found.items() if name not in owned | {blobs.folder().name}]
