"""The tab Statistics: plots with their tables, and what an older release did not count."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from tests.datasets_app.conftest import Importer

LABELLED = "".join(
    json.dumps({"text": f"message {'x' * n}", "label": "spam" if n % 3 else "ham"}) + "\n"
    for n in range(30)
)


def test_what_was_checked_is_shown_and_stays_as_it_is(
    client: Client, alice: User, upload: Importer, checked_here: None
) -> None:
    version = upload(LABELLED)
    client.force_login(alice)
    page = f"/datasets/{version.dataset_id}/statistics/"

    shown = client.get(page).content.decode()
    assert "Length: text" in shown and "Rows of each label" in shown
    assert shown.count("<rect") == len(bins(version))
    assert shown.count(" %</td>") == len(bins(version)) + 3  # two labels, one split
    assert f"label=spam&amp;v={version.number}" in shown
    again = f"/datasets/{version.dataset_id}/check/"
    client.post(again)
    assert DatasetVersion.objects.get().is_ready  # what is complete is left alone

    del version.facts["statistics"]
    version.save()
    assert "An older release checked this version" in client.get(page).content.decode()
    client.post(again)
    assert DatasetVersion.objects.get().is_ready  # runs stand on the rows as they are


def test_statistics_of_an_earlier_release_keep_their_words(
    alice_client: Client, upload: Importer, checked_here: None
) -> None:
    rows = [{"prompt": f"q{n}", "completion": "a" * n, "label": n % 2} for n in range(1, 9)]
    version = upload("".join(json.dumps(row) + "\n" for row in rows))
    page = f"/datasets/{version.dataset_id}/statistics/"
    now = alice_client.get(page).content.decode()
    assert "Length: desirable answer" in now and "Length: undesirable answer" in now

    assert version.facts["statistics"]["kind"] == "UnpairedPreference"
    version.facts["statistics"]["kind"] = "Judged"
    version.save()
    assert "Length: undesirable answer" in alice_client.get(page).content.decode()


def bins(version: DatasetVersion) -> list[object]:
    found: list[object] = version.facts["statistics"]["chars"]["text"]["bins"]
    return found
