"""Fixes make new versions: shown first, counted to the row, taken back."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from datasets_app.errors import NotReadyError
from datasets_app.models import DatasetVersion
from datasets_app.selectors import code_counts, rows_page
from datasets_app.services import bring_back, change_version, lock_test, set_mapping
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.errors import ConfigError
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

pytestmark = pytest.mark.usefixtures("checked_here")
ROWS = [{"prompt": f"question {i}", "completion": f"answer {i % 20}"} for i in range(30)]
TWICE = "".join(json.dumps(row) + "\n" for row in ROWS + ROWS[:10])
LABELLED = "text,label\n" + "".join(
    f"the text number {i},{'spam' if i % 3 else ' Spam '}\n" for i in range(60)
)


def address(version: DatasetVersion, name: str) -> str:
    return reverse("datasets:change", args=[version.dataset_id, name])


def made(version: DatasetVersion, queue: FakeQueue) -> DatasetVersion:
    queue.work()
    return version.dataset.versions.get(number=version.dataset.newest.number)


def test_a_finding_is_mended_in_a_click(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    first = upload(TWICE, "twice.jsonl")
    findings = alice_client.get(f"{first.dataset.get_absolute_url()}findings/").content.decode()
    link = f"{address(first, 'drop_rows')}?codes=duplicate"
    assert link in findings
    shown = alice_client.get(link).content.decode()
    assert "Of 40 rows, 10 will be left out" in shown
    assert "Make v2" in shown
    assert first.dataset.versions.count() == 1  # to look is not to do
    alice_client.post(address(first, "drop_rows"), {"codes": "duplicate", "do": "make"})
    second = made(first, queue)
    assert (second.status, second.rows, second.number) == ("ready", 30, 2)
    assert second.change == "Drop the rows: 10 left out"
    assert list(second.parents.all()) == [first]
    assert "duplicate" not in second.facts["findings"]
    first.refresh_from_db()
    assert (first.rows, first.facts["findings"]["duplicate"]) == (40, 10)


def test_a_version_is_looked_at_by_its_number(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    first = upload(TWICE, "twice.jsonl")
    change_version(version=first, fixes=[{"name": "drop_rows"}], codes=["duplicate"])
    made(first, queue)
    url = first.dataset.get_absolute_url()
    assert "of 30 rows" in alice_client.get(url).content.decode()
    old = alice_client.get(url, {"v": "1"}).content.decode()
    assert "of 40 rows" in old
    assert "This is v1; v2 is the newest." in old
    for odd in ("0", "3", "x", "-1", "²", "9" * 40):
        assert alice_client.get(url, {"v": odd}).status_code == 404


def test_going_back_copies_no_file(upload: Importer, queue: FakeQueue) -> None:
    first = upload(TWICE, "twice.jsonl")
    change_version(version=first, fixes=[{"name": "drop_rows"}], codes=["duplicate"])
    made(first, queue)
    again = bring_back(version=first)
    assert (again.number, again.rows, again.change) == (3, 40, "Back to v1")
    assert again.rows_sha256 == first.rows_sha256
    assert again.findings.count() == first.findings.count()
    assert [kind.code for kind in code_counts(again)] == [kind.code for kind in code_counts(first)]


def test_locked_test_rows_stay_what_they_are(upload: Importer, queue: FakeQueue) -> None:
    split = {True: "test", False: "train"}
    rows = [{"text": f" text {i} ", "split": split[i < 5]} for i in range(20)]
    first = upload("".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    lock_test(dataset=first.dataset, is_locked=True)
    first.refresh_from_db()
    change_version(version=first, fixes=[{"name": "trim"}])
    second = made(first, queue)
    texts = [row.example["text"] for row in rows_page(second, 0, 20)]
    assert texts == [f" text {i} " if i < 5 else f"text {i}" for i in range(20)]
    step = {"name": "assign_splits", "test": 0.5, "validation": 0.0, "keep": False}
    known = fixes["assign_splits"].model_fields
    change_version(version=second, fixes=[{k: v for k, v in step.items() if k in known}])
    third = made(second, queue)
    in_test = {row.number for row in rows_page(third, 0, 20) if row.example["split"] == "test"}
    assert {1, 2, 3, 4, 5} <= in_test


def test_labels_become_one_spelling(upload: Importer, queue: FakeQueue) -> None:
    first = upload(LABELLED, "labels.csv")
    (kind,) = (kind for kind in code_counts(first) if kind.code == "label_variants")
    assert kind.fixed_by is not None
    change_version(version=first, fixes=[{"name": kind.fixed_by.name}])
    second = made(first, queue)
    assert second.facts["labels"] == {"spam": 60}


def test_a_row_is_written_anew(upload: Importer, alice_client: Client, queue: FakeQueue) -> None:
    first = upload(TWICE, "twice.jsonl")
    page = alice_client.get(
        reverse("datasets:row-edit", args=[first.dataset_id]), {"row": "3"}
    ).content.decode()
    assert "question 2" in page
    new = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    typed = {"number": "3", "example": json.dumps(new), "seen": "1", "do": "make"}
    wrong = alice_client.post(address(first, "edit_row"), typed | {"example": "{oops"})
    assert wrong.status_code == 422
    assert first.dataset.versions.count() == 1
    alice_client.post(address(first, "edit_row"), typed)
    second = made(first, queue)
    assert next(rows_page(second, 2, 1)).example == new
    assert second.rows == first.rows
    for missing in ("0", "99", "x", ""):
        url = reverse("datasets:row-edit", args=[first.dataset_id])
        assert alice_client.get(url, {"row": missing}).status_code == 404


def test_leaving_nothing_is_said_and_undone(upload: Importer, queue: FakeQueue) -> None:
    first = upload(TWICE, "twice.jsonl")
    step = {"name": "filter_rows", "action": "keep", "query": {"words": "nowhere"}}
    change_version(version=first, fixes=[step])
    second = made(first, queue)
    assert (second.status, second.rows) == ("invalid", 0)
    assert second.error["message"] == "None of the 40 rows would be left."
    with pytest.raises(NotReadyError):
        change_version(version=second, fixes=[{"name": "trim"}])
    assert bring_back(version=first).rows == 40


@pytest.mark.parametrize("name", list(fixes))
def test_every_fix_has_a_page_that_changes_nothing(
    name: str, upload: Importer, alice_client: Client
) -> None:
    version = upload(TWICE, "twice.jsonl")
    for query in ({}, {"asked": "1"}, {"codes": "duplicate"}, {"codes": "duplicate", "asked": "1"}):
        assert alice_client.get(address(version, name), query).status_code == 200
    assert version.dataset.versions.count() == 1


def test_only_the_owner_changes(upload: Importer, bob: User, bob_client: Client) -> None:
    version = upload(TWICE, "twice.jsonl")
    for answer in (
        bob_client.post(address(version, "trim"), {"do": "make"}),
        bob_client.post(reverse("datasets:test-lock", args=[version.dataset_id])),
        bob_client.post(reverse("datasets:version-back", args=[version.dataset_id]) + "?v=1"),
    ):
        assert answer.status_code == 404
    assert version.dataset.versions.count() == 1


def test_options_that_make_no_sense_are_refused(upload: Importer) -> None:
    version = upload(TWICE, "twice.jsonl")
    with pytest.raises(ConfigError):
        change_version(version=version, fixes=[{"name": "sample", "share": -3}])
    assert version.dataset.versions.count() == 1


def test_what_was_decided_about_an_older_version_is_not_done_to_a_newer(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    first = upload(TWICE, "twice.jsonl")
    change_version(version=first, fixes=[{"name": "drop_rows"}], codes=["duplicate"])
    made(first, queue)
    typed = {"asked": "1", "do": "make", "seen": "1"}
    late = alice_client.post(f"{address(first, 'trim')}?v=1", typed)
    assert late.status_code == 422
    assert "v2 was made meanwhile" in late.content.decode()
    assert first.dataset.versions.count() == 2
    again = alice_client.post(f"{address(first, 'trim')}?v=1", typed | {"seen": "2"})
    assert again.status_code == 302
    assert list(made(first, queue).parents.all()) == [first]


def test_no_other_way_leads_around_a_lock(upload: Importer, queue: FakeQueue) -> None:
    rows = [{"text": f"text {i}", "split": "test" if i < 5 else "train"} for i in range(20)]
    first = upload("".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    change_version(version=first, fixes=[{"name": "replace_text", "find": "text", "replace": "x"}])
    second = made(first, queue)
    lock_test(dataset=first.dataset, is_locked=True)
    for version in (first, second):
        version.refresh_from_db()
        version.dataset.refresh_from_db()
    with pytest.raises(NotReadyError, match="locked"):
        bring_back(version=first)
    with pytest.raises(NotReadyError, match="locked"):
        change_version(version=first, fixes=[{"name": "trim"}])
    with pytest.raises(NotReadyError, match="locked"):
        set_mapping(version=first, format={"name": "text", "text": "text"})
    smuggled = {"number": 9, "example": {"text": "mine", "split": "test"}}
    change_version(version=second, fixes=[{"name": "edit_row", **smuggled}])
    third = made(second, queue)
    assert third.facts["splits"] == {"test": 5, "train": 15}
    assert next(rows_page(third, 8, 1)).example == {"text": "mine", "split": "train"}


def test_a_text_that_would_burst_is_refused(upload: Importer, alice_client: Client) -> None:
    version = upload(json.dumps({"text": "a" * 100_000}) + "\n", "a.jsonl")
    typed = {"find": "a", "replace": "b" * 5_000, "do": "preview"}
    answer = alice_client.post(address(version, "replace_text"), typed).content.decode()
    assert "A row would have more than" in answer


def test_rows_beside_locked_ones_are_left_out_and_said_to_be(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    rows = [{"text": f"text {i}", "split": "test" if i < 5 else "train"} for i in range(20)]
    rows += [{"text": f"Text {i}!", "split": "train"} for i in range(3)]
    first = upload("".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    lock_test(dataset=first.dataset, is_locked=True)
    options = {"by": "source", "test": "0", "validation": "0", "seed": "0", "keep_assigned": "on"}
    url = address(first, "assign_splits")
    shown = alice_client.post(url, options | {"do": "preview"}).content.decode()
    assert "Of 23 rows, 3 will be left out: their source is in a locked split." in shown
    alice_client.post(url, options | {"do": "make"})
    second = made(first, queue)
    assert second.facts["splits"] == {"test": 5, "train": 15}
    assert "3 left out: their source is in a locked split" in second.change
