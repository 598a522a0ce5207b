"""The tab Statistics: plots with their tables, and what an older release did not count."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

LABELLED = "".join(
    json.dumps({"text": f"message {'x' * n}", "label": "spam" if n % 3 else "ham"}) + "\n"
    for n in range(30)
)


def test_an_older_version_is_counted_by_another_check(
    client: Client, alice: User, upload: Importer, queue: FakeQueue, checked_here: None
) -> None:
    version = upload(LABELLED)
    client.force_login(alice)
    page = f"/datasets/{version.dataset_id}/statistics/"

    shown = client.get(page).content.decode()
    assert "Length: text" in shown and "Rows of each label" in shown
    assert shown.count("<rect") == shown.count(" %</td></tr>") == len(bins(version))
    assert f"label=spam&amp;v={version.number}" in shown
    again = f"/datasets/{version.dataset_id}/check/"
    client.post(again)
    assert DatasetVersion.objects.get().is_ready  # what is complete is left alone

    counted = version.facts.pop("statistics")
    version.save()
    assert "Check again" in client.get(page).content.decode()
    client.post(again)
    assert DatasetVersion.objects.get().is_checking
    queue.work()
    now = DatasetVersion.objects.get()
    assert now.facts["statistics"] == counted
    assert (now.is_ready, now.rows_sha256) == (True, version.rows_sha256)


def bins(version: DatasetVersion) -> list[object]:
    found: list[object] = version.facts["statistics"]["chars"]["text"]["bins"]
    return found
