"""What the queue calls for datasets."""

from __future__ import annotations

from datasets_app.models import DatasetVersion
from datasets_app.services.checks import record_failure, run_check


def check_version(version_id: int, check_number: int) -> None:
    """Check a version; does nothing where that check is not wanted any more."""
    version = DatasetVersion.objects.filter(
        pk=version_id, check_number=check_number, status=DatasetVersion.Status.CHECKING
    ).first()
    if version is None:
        return
    try:
        run_check(version=version)
    except Exception:
        record_failure(version=version)
        raise
