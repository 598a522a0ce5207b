"""Files as people have them: true counts through service, page and API."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from datasets_app.services import import_dataset, set_mapping
from tests.conftest import FakeQueue
from tests.downloads import whole

READY = {
    "instruction/mlx_prompt_completion_train.jsonl": ("prompt_completion", 1800, 0),
    "instruction/alpaca_zh_demo.json": ("instruction", 1000, 0),
    "chat/glaive_toolcall_en_demo.json": ("sharegpt", 300, 0),
    "chat/v1_sft_demo.jsonl": ("messages", 500, 0),
    "text/grimms_fairy_tales.txt": ("text", 7898, 0),
    "classification/banking77_test.csv": ("classification", 3080, 0),
    "preference/dpo_en_demo.json": ("preference", 300, 0),
    "preference/kto_en_demo.json": ("unpaired_preference", 300, 0),
    "nasty/derived/nonstring_targets.jsonl": ("instruction", 170, 30),
    "nasty/derived/ragged.csv": ("classification", 394, 6),
    "nasty/derived/nul_and_lone_surrogate.jsonl": ("instruction", 50, 0),
    "nasty/derived/one_2MB_cell.json": ("instruction", 200, 0),
    "nasty/derived/weird näme – (1) & co.JSONL": ("instruction", 40, 0),
    "nasty/blns.txt": ("text", 663, 2),
    "seq2seq/xquad_en.json": ("squad", 1190, 0),
}
MAPPED = {
    "classification/sms_spam.tsv": (5574, 0),
    "nasty/derived/html_everywhere.csv": (40, 0),
    "seq2seq/e2e_nlg_dev.csv": (4672, 0),
}
REFUSED = {
    "nasty/derived/truncated_array.json": "line 700",
}


@pytest.fixture
def take(
    real_data: Path, alice: User, queue: FakeQueue, tmp_path: Path, checked_here: None
) -> object:
    def do(name: str) -> DatasetVersion:
        copy = shutil.copyfile(real_data / name, tmp_path / "incoming")
        version = import_dataset(owner=alice, name="", file_name=Path(name).name, path=copy)
        queue.work()
        version.refresh_from_db()
        return version

    return do


def look_at(version: DatasetVersion, client: Client) -> dict[str, object]:
    """Every page of a dataset answers; gives what the API says of it."""
    for part in ("", "?as=raw", "findings/", "splits/", "versions/", "runs/", "?words=a"):
        response = client.get(f"{version.dataset.get_absolute_url()}{part}")
        assert response.status_code == 200
        assert len(response.content) < 3_000_000
    findings = whole(client.get(f"{version.dataset.get_absolute_url()}findings.csv"))
    assert findings.startswith(b'"row","line"')
    assert client.get(f"/api/v1/datasets/{version.dataset_id}/rows").status_code in {200, 409}
    body: dict[str, object] = client.get(f"/api/v1/datasets/{version.dataset_id}").json()
    return body


@pytest.mark.parametrize("name", READY)
def test_every_record_is_counted(name: str, take, alice_client: Client) -> None:
    kind, rows, bad_rows = READY[name]
    body = look_at(take(name), alice_client)
    assert (body["status"], body["rows"], body["bad_rows"]) == ("ready", rows, bad_rows)
    assert body["format"]["name"] == kind  # type: ignore[index]


@pytest.mark.parametrize("name", MAPPED)
def test_what_the_columns_do_not_tell_is_asked(
    name: str, take, alice_client: Client, queue: FakeQueue
) -> None:
    version = take(name)
    assert look_at(version, alice_client)["status"] == "needs_mapping"
    page = alice_client.get(f"{version.dataset.get_absolute_url()}mapping/")
    assert page.status_code == 200
    set_mapping(version=version, format=version.facts["guess"])
    queue.work()
    body = look_at(version, alice_client)
    assert (body["status"], body["rows"], body["bad_rows"]) == ("ready", *MAPPED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_on_is_refused_with_a_reason(
    name: str, take, alice_client: Client
) -> None:
    body = look_at(take(name), alice_client)
    assert body["status"] == "invalid"
    assert REFUSED[name] in body["error"]["message"]  # type: ignore[index]


def test_three_lines_with_nul_and_broken_characters_are_named(take) -> None:
    version = take("nasty/derived/nul_and_lone_surrogate.jsonl")
    of_lines = version.findings.exclude(code="not_read")
    assert set(of_lines.values_list("line", flat=True)) <= {8, 10, 12}
