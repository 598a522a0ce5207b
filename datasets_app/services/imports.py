"""Files become datasets: stored under an id, then checked in the queue."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from datasets_app.errors import UploadOffsetError
from datasets_app.models import Dataset, DatasetVersion, Upload
from datasets_app.pages.text import display_name
from datasets_app.services.checks import queue_check
from datasets_app.services.uploads import locked
from datasets_app.storage.blobs import keep_blob

NAME_CHARS = Dataset._meta.get_field("name").max_length or 120


def import_dataset(
    *,
    owner: User | None,
    name: str,
    file_name: str,
    path: Path,
    folder: UUID | None = None,
    successor_to: Dataset | None = None,
) -> DatasetVersion:
    """Move the file at `path` in as a new dataset; its check is queued on commit.

    `folder` names the place where it lies; another call with the same one finds it taken.
    With `successor_to` it becomes the next version of that dataset.
    """
    folder = folder or uuid4()
    shown = display_name(file_name)
    root = Path(settings.DATASETS_DIR) / str(folder)
    root.mkdir(mode=0o700, parents=True)
    try:
        size = path.stat().st_size
        digest = keep_blob(path)
        with transaction.atomic():
            dataset = successor_to or Dataset.objects.create(
                owner=owner, name=display_name(name or Path(shown).stem, NAME_CHARS)
            )
            version = DatasetVersion.objects.create(
                dataset=dataset,
                number=next_number(dataset),
                folder=folder,
                file_name=shown,
                size_bytes=size,
                sha256=digest,
            )
            queue_check(version)
    except BaseException:
        shutil.rmtree(root)
        raise
    return version


def next_number(dataset: Dataset) -> int:
    """The number of its next version, within a transaction: nobody else gets the same."""
    Dataset.objects.select_for_update().filter(pk=dataset.pk).first()
    newest: int | None = dataset.versions.aggregate(number=Max("number"))["number"]
    return (newest or 0) + 1


def import_upload(*, upload: Upload, name: str = "") -> DatasetVersion:
    """Turn a complete upload into a dataset."""
    with locked(upload) as file:
        received = file.tell()
        if received != upload.size_bytes:
            raise UploadOffsetError(
                f"{received:,} of {upload.size_bytes:,} bytes have arrived.",
                "Send the rest of the file first.",
            )
        version = import_dataset(
            owner=upload.owner,
            name=name,
            file_name=upload.file_name,
            path=upload.path,
            folder=upload.pk,
        )
    upload.delete()
    return version
