"""Rows of megabytes: each is on its page, cut and said to be, and is had whole alone."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.pages.changes import preview_change
from maxaillm.dev.finetune.data.fixes import fixes
from tests.stored_rows import stored_rows

CHARS = 2 * 2**20
NUMBERS = range(1, 11)


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    rows = [{"text": f"Row {number} " + "x" * (CHARS - 6)} for number in range(1, 10)]
    rows.append({"text": "short"})
    return DatasetVersion.objects.create(
        dataset=Dataset.objects.create(owner=alice, name="long"),
        status="ready",
        format={"name": "text"},
        rows=len(rows),
        rows_sha256=stored_rows(rows),
    )


def test_a_page_has_all_its_rows(version: DatasetVersion, alice_client: Client) -> None:
    url = version.dataset.get_absolute_url()
    page = alice_client.get(url).content.decode()
    places = [page.index(f'id="row-{number}"') for number in NUMBERS]
    assert places == sorted(places)
    assert page.count(f"Shown in part: the row has {CHARS:,} characters") == 9
    assert len(page) < 100_000
    whole = alice_client.get(f"{url}rows/whole/", {"row": 3})
    assert len(whole.json()["text"]) == CHARS
    assert alice_client.get(f"{url}rows/whole/", {"row": 11}).status_code == 404
    edit = alice_client.get(f"{url}rows/edit/", {"row": 3}, follow=True).content.decode()
    assert "Row 3 is too long to be edited in a form" in edit
    assert alice_client.get(f"{url}rows/edit/", {"row": 10}).status_code == 200


@pytest.mark.parametrize("full", [True, False])
def test_the_api_gives_all_rows(version: DatasetVersion, alice_client: Client, full: bool) -> None:
    url = f"/api/v1/datasets/{version.dataset_id}/rows"
    answer = alice_client.get(url, {"full": full})
    items = answer.json()["items"]
    assert [item["row"] for item in items] == list(NUMBERS)
    lengths = [len(item["example"]["text"]) for item in items]
    assert [item["is_cut"] for item in items] == [
        length < item["chars"] for item, length in zip(items, lengths, strict=True)
    ]
    assert lengths.count(CHARS) == (3 if full else 0)
    assert len(answer.content) < 9_000_000
    one = alice_client.get(f"{url}/9").json()
    assert (one["is_cut"], len(one["example"]["text"])) == (False, CHARS)
    assert alice_client.get(f"{url}/11").status_code == 404


def test_a_row_of_many_turns_is_cut(
    alice: User, alice_client: Client, version: DatasetVersion
) -> None:
    roles = ("user", "assistant")
    turns = [{"role": roles[at % 2], "content": f"turn {at}"} for at in range(1000)]
    version.rows_sha256 = stored_rows([{"messages": turns}])
    version.save()
    page = alice_client.get(version.dataset.get_absolute_url()).content.decode()
    assert "of 1,000 turns these are the first 300" in page
    assert "turn 299" in page
    assert "turn 300" not in page
    (row,) = alice_client.get(f"/api/v1/datasets/{version.dataset_id}/rows").json()["items"]
    assert json.dumps(row["example"]["messages"]) == json.dumps(turns)


def test_many_small_turns_are_no_large_page(
    alice: User, alice_client: Client, version: DatasetVersion
) -> None:
    """An answer is as large as its JSON, not as its texts."""
    turns = [{"role": "assistant", "content": ""}] * 40_000
    version.rows_sha256 = stored_rows([{"messages": turns}] * 7)
    version.save()
    answer = alice_client.get(f"/api/v1/datasets/{version.dataset_id}/rows", {"full": True})
    cut = [item["is_cut"] for item in answer.json()["items"]]
    assert (len(cut), cut[0], cut[-1]) == (7, False, True)
    assert len(answer.content) < 9_000_000


def test_a_change_behind_what_is_shown_is_a_change(version: DatasetVersion) -> None:
    other = {"text": f"Row 1 {'x' * (CHARS - 7)}y"}
    preview = preview_change(
        version, fixes["edit_row"].model_validate({"number": 1, "example": other})
    )
    assert preview is not None
    (change,) = preview.changes
    assert change.after is not None
    assert change.before.texts == change.after.texts
    assert not change.is_moved
