"""Several datasets made into one, and rows found among many."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.services import change_version
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

pytestmark = pytest.mark.usefixtures("checked_here")


def rows(word: str, count: int) -> str:
    return "".join(
        json.dumps({"prompt": f"{word} question {i}", "completion": f"{word} answer {i}"}) + "\n"
        for i in range(count)
    )


def test_rows_are_taken_as_often_as_asked(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    first, second = upload(rows("red", 40), "a.jsonl"), upload(rows("blue", 10), "b.jsonl")
    times = {f"times-{first.dataset_id}": "0.5", f"times-{second.dataset_id}": "2"}
    into = {f"split-{second.dataset_id}": "test", f"split-{first.dataset_id}": "x"}
    answer = alice_client.post("/datasets/join/", times | into | {"name": "Both"})
    assert answer.status_code == 302
    queue.work()
    joined = Dataset.objects.get(name="Both").newest
    assert (joined.status, joined.rows) == ("ready", 40)
    assert set(joined.parents.all()) == {first, second}
    assert joined.change == "Joined: 20 of a v1, 20 of b v1"
    assert joined.facts["splits"] == {"train": 20, "test": 20}


def test_what_can_not_be_joined_is_said(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    chat = upload(rows("red", 10), "a.jsonl")
    labels = upload("text,label\n" + "some text here,x\nmore text here,y\n" * 5, "b.csv")
    field = f"times-{chat.dataset_id}"
    for typed in ("", "x", "-1", "1000", "nan"):
        answer = alice_client.post("/datasets/join/", {field: typed})
        assert answer.status_code == 400
        assert not queue.jobs
    alice_client.post("/datasets/join/", {field: "1", f"times-{labels.dataset_id}": "1"})
    queue.work()
    joined = Dataset.objects.get(name="Joined").newest
    assert joined.status == "invalid"
    assert "conversations" in joined.error["message"]


def test_another_users_rows_are_not_joined(upload: Importer, bob_client: Client) -> None:
    version = upload(rows("red", 10), "a.jsonl")
    answer = bob_client.post("/datasets/join/", {f"times-{version.dataset_id}": "1"})
    assert answer.status_code == 400
    assert Dataset.objects.count() == 1


def test_rows_are_searched_and_filtered(upload: Importer, alice_client: Client) -> None:
    version = upload(rows("red", 30) + rows("blue", 30) + rows("red", 1), "a.jsonl")
    url = version.dataset.get_absolute_url()
    found = alice_client.get(url, {"words": "BLUE 7"}).content.decode()
    assert "blue question 7" in found
    assert "red question" not in found
    assert "1 to 10 of 31 rows" in alice_client.get(url, {"words": "red"}).content.decode()
    flagged = alice_client.get(url, {"code": "duplicate"}).content.decode()
    assert 'id="row-61"' in flagged
    assert 'id="row-1"' not in flagged
    assert "No row is like that" in alice_client.get(url, {"words": "green"}).content.decode()
    for odd in ({"split": "x"}, {"label": "\0"}, {"words": "(" * 2000}, {"code": "no such"}):
        assert alice_client.get(url, odd).status_code == 200


def test_every_dataset_with_a_ready_version_is_on_offer(
    upload: Importer, alice: User, alice_client: Client, queue: FakeQueue
) -> None:
    url, first = "/datasets/join/", upload(rows("red", 10), "first.jsonl")
    change_version(version=first, fixes=[{"name": "trim"}])
    for number in range(30):
        dataset = Dataset.objects.create(owner=alice, name=f"set {number:02}")
        status = "invalid" if number in {3, 4} else "ready"
        DatasetVersion.objects.create(
            dataset=dataset, status=status, rows=1, rows_sha256=first.rows_sha256
        )
    page = " ".join(alice_client.get(url).content.decode().split())
    assert "2 datasets are not shown: no version of them is ready." in page
    assert "1 to 25 of 29 datasets" in page
    assert 'for="times-' in page
    assert ">first<" not in page
    last = alice_client.get(url, {"page": "2"}).content.decode()
    assert all(f">{name}<" in last for name in ("first", "set 00", "set 01", "set 02"))
    assert "v1, the newest that is ready" in last
    chosen = {f"times-{first.dataset_id}": "0,5", f"split-{first.dataset_id}": "test", "asked": "1"}
    found = alice_client.get(url, chosen | {"q": "SET 29", "name": "N"}).content.decode()
    assert all(f">{name}<" in found for name in ("first", "set 29"))
    assert ">set 28<" not in found
    assert 'value="0,5"' in found
    assert '<option value="test" selected>' in found
    assert 'value="N"' in found
    assert "checked" not in found
    other = Dataset.objects.get(name="set 29")
    both = chosen | {f"times-{other.pk}": "1", "name": "N"}
    assert alice_client.post(url, both).status_code == 302
    parents = Dataset.objects.get(name="N").newest.parents.all()
    assert set(parents) == {first, other.newest}
