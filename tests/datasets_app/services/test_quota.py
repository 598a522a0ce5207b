"""What counts as a person's data: every file once, of all versions, deleted or being made."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.errors import QuotaError
from datasets_app.models import Dataset, DatasetVersion, Upload
from datasets_app.services import bring_back, change_version, join_datasets
from datasets_app.services.quota import DataUse, data_use
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import QUESTIONS, Importer

pytestmark = pytest.mark.usefixtures("checked_here")

TRIM = [{"name": "trim"}]


def bytes_on_disk(version: DatasetVersion) -> int:
    paths = (version.source_path, version.rows_path, version.findings_path)
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_each_file_counts_once(upload: Importer, alice: User, queue: FakeQueue) -> None:
    first = upload()
    assert data_use(alice).kept == bytes_on_disk(first)
    bring_back(version=first)
    upload(name="again.jsonl")
    assert data_use(alice).kept == bytes_on_disk(first)
    Upload.objects.create(owner=alice, file_name="x", size_bytes=1000)
    change_version(version=first, fixes=[{"name": "sample", "rows": 5}])
    assert data_use(alice).coming == 1000 + first.rows_path.stat().st_size
    queue.work()
    use = data_use(alice)
    changed = first.dataset.newest
    assert use.coming == 1000
    new_files = changed.rows_path.stat().st_size
    if changed.findings_sha256 != first.findings_sha256:
        new_files += changed.findings_path.stat().st_size
    assert use.kept == bytes_on_disk(first) + new_files


def test_rows_are_not_made_beyond_the_quota(
    upload: Importer, alice: User, alice_client: Client, settings: Any
) -> None:
    version = upload()
    rows = version.rows_path.stat().st_size
    settings.DATA_QUOTA_BYTES = data_use(alice).total + rows - 1
    with pytest.raises(QuotaError):
        change_version(version=version, fixes=TRIM)
    with pytest.raises(QuotaError):
        join_datasets(owner=alice, name="x", times={version: 1}, splits={}, shuffle=False)
    url = f"/api/v1/datasets/{version.dataset_id}/versions"
    body = {"fixes": TRIM}
    assert alice_client.post(url, body, content_type="application/json").status_code == 413
    bring_back(version=version)  # takes no room
    settings.DATA_QUOTA_BYTES -= rows
    with pytest.raises(QuotaError):
        bring_back(version=version)
    assert DatasetVersion.objects.count() == 2
    settings.DATA_QUOTA_BYTES += rows + 1
    change_version(version=version, fixes=TRIM)


def test_deleted_data_counts_until_it_is_gone(
    upload: Importer, alice: User, alice_client: Client, bob_client: Client, settings: Any
) -> None:
    kept, version = upload(), upload(QUESTIONS * 2, "other.jsonl")
    whole = bytes_on_disk(kept) + bytes_on_disk(version)
    url = version.dataset.get_absolute_url()
    alice_client.post(f"{url}delete/")
    assert data_use(alice) == DataUse(whole, bytes_on_disk(version), 0, settings.DATA_QUOTA_BYTES)
    settings.DATA_QUOTA_BYTES = whole
    with pytest.raises(QuotaError) as refused:
        change_version(version=kept, fixes=TRIM)
    assert "deleted ones count for seven days" in refused.value.hint
    assert "/datasets/deleted/" in alice_client.get("/datasets/").content.decode()
    page = alice_client.get("/datasets/deleted/").content.decode()
    assert f"{url}purge/" in page
    assert "other" not in bob_client.get("/datasets/deleted/").content.decode()
    assert bob_client.post(f"{url}purge/").status_code == 404
    assert alice_client.post(f"{kept.dataset.get_absolute_url()}purge/").status_code == 404
    assert alice_client.post(f"{url}purge/").status_code == 302
    assert list(Dataset.objects.all()) == [kept.dataset]
    assert data_use(alice).kept == bytes_on_disk(kept)
