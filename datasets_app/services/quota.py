"""What the data of a person takes on the disk, and whether more of it is theirs to take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from datasets_app.errors import QuotaError
from datasets_app.models import Dataset, DatasetVersion, Upload
from datasets_app.storage.blobs import blob_path
from maxft_site.web.formatting import size as in_units

FILES = ("sha256", "rows_sha256", "findings_sha256")
"""The columns of a version that name the files it stands on."""


class DataUse(NamedTuple):
    """In bytes. What several versions stand on lies there once, and counts once."""

    kept: int
    """Files of all versions, deleted ones too."""
    deleted: int
    """Of that what only deleted datasets still stand on."""
    coming: int
    """Announced by unfinished uploads and by the Hub, and expected of changes that wait or are
    being made."""
    quota: int

    @property
    def total(self) -> int:
        return self.kept + self.coming


def data_use(owner: User) -> DataUse:
    """Looks at each file once: a thousand versions are a tenth of a second."""
    versions = DatasetVersion.objects.filter(dataset__owner=owner)
    sizes = file_sizes(versions)
    needed = digests_of(versions.filter(dataset__deleted=None))
    deleted = sum(size for digest, size in sizes.items() if digest not in needed)
    coming = sum(Upload.objects.filter(owner=owner).values_list("size_bytes", flat=True))
    checking = versions.filter(status=DatasetVersion.Status.CHECKING, dataset__deleted=None)
    for version in checking.filter(recipe__isnull=False).prefetch_related("parents"):
        coming += made_bytes(version.parents.all(), (version.recipe or {}).get("times", {}))
    for facts in checking.filter(sha256="", origin__isnull=False).values_list("facts", flat=True):
        coming += facts.get("to_fetch", 0)
    return DataUse(sum(sizes.values()), deleted, coming, settings.DATA_QUOTA_BYTES)


def file_sizes(versions: QuerySet[DatasetVersion]) -> dict[str, int]:
    """The size of each file they stand on, by its digest; one that is lost takes nothing."""
    return {digest: size_of(blob_path(digest)) for digest in digests_of(versions)}


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def digests_of(versions: QuerySet[DatasetVersion]) -> set[str]:
    return {digest for row in versions.values_list(*FILES) for digest in row if digest}


def made_bytes(parts: Iterable[DatasetVersion], times: Mapping[str, Any]) -> int:
    """About how large the rows will be that are made of those of `parts`, each so many times."""
    return sum(
        int(times.get(str(part.pk), 1) * size_of(part.rows_path))
        for part in parts
        if part.rows_sha256
    )


def require_quota(owner: User | None, size_bytes: int) -> None:
    """Room for so much beside what `owner` has already; what comes with the site has no limit."""
    if owner is None:
        return
    use = data_use(owner)
    if use.total + size_bytes <= use.quota:
        return
    trash = Dataset.objects.deleted_by(owner).count()
    purge = f" Do it for good: deleted ones count for seven days, {in_units(use.deleted)} now."
    raise QuotaError(
        f"Your data would take {in_units(use.total + size_bytes)} of the disk, more than your "
        f"{in_units(use.quota)}.",
        f"Delete datasets that you don't need.{purge if trash else ''} Or let the site's owner "
        "raise MAXFT_DATA_QUOTA_BYTES.",
    )
