"""Datasets of the Hub, fetched from a server of one's own: whole, chosen, refused, cut off."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.errors import QuotaError
from datasets_app.models import Dataset, DatasetVersion
from datasets_app.services import (
    check_again,
    delete_dataset,
    import_from_hub,
    requeue_lost_checks,
    restore_dataset,
    sweeps,
)
from datasets_app.services.hub_fetch import Steps
from datasets_app.services.quota import data_use
from datasets_app.tasks import check_version
from tests.conftest import FakeQueue
from tests.hub_server import Hub, serving

pytestmark = pytest.mark.usefixtures("checked_here")
CSV = "prompt,completion\n" + "".join(f"q{i},a{i}\n" for i in range(30))
SUBSETS = ("de", "en")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_site")
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def fetched(owner: User, queue: FakeQueue, name: str, **how: Any) -> DatasetVersion:
    version = import_from_hub(owner=owner, hub=name, **how)
    assert version.is_checking
    assert [job.queue for job in queue.jobs] == ["fetch"]  # nobody else's check waits for it
    queue.work()
    version.refresh_from_db()
    assert [path.name for path in version.root.iterdir()] == ["check.lock"]  # nothing half-done
    return version


def rows(start: int, count: int) -> list[dict[str, str]]:
    return [{"prompt": f"q{i}", "completion": f"a{i}"} for i in range(start, start + count)]


def parquet(start: int, count: int) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(start, count)), target)
    return target.getvalue()


def packed_lines(start: int, count: int) -> bytes:
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows(start, count)).encode())


def test_a_single_file_is_kept_as_it_is_though_the_connection_broke(
    hub: Hub, alice: User, queue: FakeQueue
) -> None:
    repository = hub.add("ada/chats", {"rows.csv": CSV, "README.md": "# Chats"}, cuts={"rows.csv"})
    version = fetched(alice, queue, f"{hub.url}/datasets/ada/chats")
    assert (version.status, version.rows, version.file_name) == ("ready", 30, "rows.csv")
    assert version.source_path.read_text() == CSV
    assert version.dataset.name == "chats"
    assert (version.origin or {})["revision"] == repository.commit
    assert hub.tokens == {"Bearer hf_of_the_site"}


def test_shards_become_splits(hub: Hub, alice: User, queue: FakeQueue) -> None:
    files = {
        "data/train-00000-of-00002.parquet": parquet(0, 20),
        "data/train-00001-of-00002.parquet": parquet(20, 10),
        "data/test-00000-of-00001.parquet": parquet(100, 5),
    }
    hub.add("ada/shards", files)
    version = fetched(alice, queue, "ada/shards")
    assert (version.status, version.facts["splits"]) == ("ready", {"train": 30, "test": 5})
    assert version.file_name == "shards.zip"
    with ZipFile(version.source_path) as archive:
        assert {member.compress_type for member in archive.infolist()} == {ZIP_STORED}
        assert archive.namelist() == [
            "train/00000.parquet",
            "train/00001.parquet",
            "test/00002.parquet",
        ]


def card_of(*splits: str) -> dict[str, Any]:
    return {
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": split, "path": f"{name}/{split}*"} for split in splits],
            }
            for name in SUBSETS
        ]
    }


def test_a_person_chooses_and_the_commit_stays(
    hub: Hub, alice: User, alice_client: Client, bob_client: Client, queue: FakeQueue
) -> None:
    splits = ("train_sft", "test_sft", "other")
    files = {
        f"{name}/{split}.jsonl.gz": packed_lines(100 * at, 10)
        for name in SUBSETS
        for at, split in enumerate(splits)
    }
    first = hub.add("ada/tasks", files, card=card_of(*splits))
    version = fetched(alice, queue, "ada/tasks")
    assert (version.status, (version.error or {})["code"]) == ("needs_mapping", "hub_choice")
    assert not any("/cdn/" in request for request in hub.requests)
    page, address = version.dataset.get_absolute_url(), f"/datasets/{version.dataset_id}/hub/"
    shown = alice_client.get(f"{page}?subset=en").content.decode()
    assert '<option value="en" selected>' in shown
    assert bob_client.post(address).status_code == 404

    other = alice_client.post(address, {"of": "de", "subset": "en", "split-0": "train"})
    assert b'name="of" value="en"' in other.content  # its splits are shown before it counts
    chosen = {"of": "en", "subset": "en", "split-0": "", "split-1": "test", "split-2": ""}
    refused = alice_client.post(address, chosen)
    assert b"Nothing would be left to train on." in refused.content

    hub.add("ada/tasks", {"rows.csv": CSV})  # the branch moves on
    assert alice_client.post(address, chosen | {"split-0": "train"}).status_code == 302
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.facts["splits"]) == ("ready", {"train": 10, "test": 10})
    assert ((version.origin or {})["revision"], (version.origin or {})["subset"]) == (
        first.commit,
        "en",
    )
    facts = alice_client.get(page).content.decode()
    assert f"{hub.url}/datasets/ada/tasks/tree/{first.commit}" in facts
    asked = len(hub.requests)
    assert check_again(version)  # it has its file
    queue.work()
    assert len(hub.requests) == asked


HOSTILE = {"configs": [{"config_name": "default", "data_files": "/etc/passwd"}]}


@pytest.mark.parametrize(
    ("name", "how", "code", "asked"),
    [
        ("ada/none", {}, "hub_missing", 1),
        ("ada/chats", {"revision": "v9"}, "hub_revision", 1),
        ("ada/chats", {"subset": "de"}, "hub_subset", 1),
        ("ada/gated", {}, "hub_gated", 2),
        ("ada/hostile", {}, "hub_card", 1),
        ("ada/broken", {}, "hub_failed", 2),
        ("ada/large", {}, "too_large", 1),
        ("ada/liar", {}, "hub_failed", 3),
        ("ada/portal", {}, "hub_unreachable", 1),
    ],
)
def test_what_goes_wrong_is_said(
    name: str, how: dict[str, str], code: str, asked: int, hub: Hub, alice: User, queue: FakeQueue
) -> None:
    faults: dict[str, dict[str, Any]] = {
        "ada/chats": {},
        "ada/gated": {"is_gated": True},
        "ada/hostile": {"card": HOSTILE},
        "ada/broken": {"fails": {"rows.csv"}},
        "ada/large": {"sizes": {"rows.csv": 10**12}},
        "ada/liar": {"sizes": {"rows.csv": 9}},
        "ada/portal": {"portal": b"<h1>Log in</h1>"},
    }
    for each, fault in faults.items():
        hub.add(each, {"rows.csv": CSV}, **fault)
    version = fetched(alice, queue, name, **how)
    assert (version.status, (version.error or {})["code"]) == ("invalid", code)
    assert (version.error or {})["message"]
    assert (version.error or {})["hint"]
    assert len(hub.requests) == asked  # what is too large is refused before it is fetched
    assert not version.sha256


def test_no_connection_then_check_again(
    alice: User, alice_client: Client, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    version = fetched(alice, queue, "ada/chats")
    assert (version.error or {})["code"] == "hub_unreachable"
    assert b"Check again" in alice_client.get(version.dataset.get_absolute_url()).content
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add("ada/chats", {"rows.csv": CSV})
        alice_client.post(f"/datasets/{version.dataset_id}/check/")
        (version.root / "check-1-hub").mkdir()  # left behind by a worker that was killed
        queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows) == ("ready", 30)
    assert [path.name for path in version.root.iterdir()] == ["check.lock"]


def test_what_is_on_its_way_counts_towards_the_quota(
    alice: User, settings: Any, queue: FakeQueue
) -> None:
    first, second = (
        Steps(version, DatasetVersion.objects.filter(pk=version.pk))
        for version in [import_from_hub(owner=alice, hub="ada/chats") for _ in range(2)]
    )
    plan = {"size_bytes": 5_000, "subset": "default", "splits": {}}
    first.plan(plan)
    assert data_use(alice).coming == 5_000
    settings.DATA_QUOTA_BYTES = 8_000
    with pytest.raises(QuotaError):
        second.plan(plan)


def test_one_that_was_overtaken_writes_nothing(
    hub: Hub, alice: User, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("ada/chats", {"rows.csv": CSV})
    version = import_from_hub(owner=alice, hub="ada/chats")
    plan = Steps.plan

    def overtaken(steps: Steps, content: Any) -> None:
        plan(steps, content)
        assert check_again(DatasetVersion.objects.get(pk=version.pk))

    monkeypatch.setattr(Steps, "plan", overtaken)
    check_version(version.pk, 1)
    version.refresh_from_db()
    assert (version.status, version.check_number, version.sha256) == ("checking", 2, "")


def test_deleting_ends_the_fetching_and_taking_back_begins_anew(
    hub: Hub, alice: User, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("ada/chats", {"rows.csv": CSV})
    version = import_from_hub(owner=alice, hub="ada/chats")
    plan = Steps.plan

    def deleted(steps: Steps, content: Any) -> None:
        plan(steps, content)
        delete_dataset(dataset=version.dataset)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "plan", deleted)
        queue.work()
    version.refresh_from_db()
    assert (version.status, version.sha256, data_use(alice).total) == ("checking", "", 0)
    monkeypatch.setattr(sweeps, "is_pending", lambda _: False)
    assert requeue_lost_checks() == 0

    restore_dataset(dataset=version.dataset)
    assert requeue_lost_checks() == 1
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows) == ("ready", 30)


def test_the_page_and_the_api(
    alice: User, alice_client: Client, api_token: str, queue: FakeQueue, monkeypatch: Any
) -> None:
    answer = alice_client.post("/datasets/new/", {"hub": "https://example.com/a", "revision": "v1"})
    assert answer.status_code == 400
    assert b'value="https://example.com/a"' in answer.content
    made = alice_client.post("/datasets/new/", {"hub": "ada/chats", "revision": "", "name": "N"})
    assert (made.status_code, Dataset.objects.get().name) == (302, "N")
    body = {"hub": "ada/chats", "revision": "v1", "subset": "en", "splits": {"train_sft": "train"}}
    headers = {"Authorization": f"Bearer {api_token}"}
    sent = Client().post("/api/v1/datasets/hub", body, "application/json", headers=headers)
    assert (sent.status_code, sent.json()["status"]) == (201, "checking")
    assert sent.json()["origin"] == {"asked": "v1"} | body
    version = Dataset.objects.get(pk=sent.json()["id"]).newest
    offer = [{"name": "en", "is_default": True, "splits": [{"name": "train_sft"}]}]
    DatasetVersion.objects.filter(pk=version.pk).update(
        status="needs_mapping", facts={"offer": offer}
    )
    address = f"/api/v1/datasets/{version.dataset_id}/hub"
    choice = {"subset": "en", "splits": {"train_sft": "train"}}
    wrong = Client().post(address, choice | {"splits": {}}, "application/json", headers=headers)
    assert wrong.status_code == 400
    chosen = Client().post(address, choice, "application/json", headers=headers)
    assert (chosen.status_code, chosen.json()["status"]) == (202, "checking")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert b'name="hub"' not in alice_client.get("/datasets/new/").content
    assert alice_client.post("/datasets/new/", {"hub": "ada/chats"}).status_code == 400
