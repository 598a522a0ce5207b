"""How a file is written, said on the mapping page: the rows follow, and it is kept."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from datasets_app.models import DatasetVersion
from datasets_app.selectors import rows_page
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

pytestmark = pytest.mark.usefixtures("checked_here")

SHORT = "prompt,completion\nСколько,Триста\n".encode("koi8-r")
SURVEY = "Report,,\nasked,told,nr\n" + "".join(f"Why {i}?,So {i}.,{i}\n" for i in range(30))
LABELLED = "said\twhat\n" + "".join(
    f"text {i}\t{marks}\n" for i, marks in enumerate(["a,b", "a", "b", "b,a,c", "c"] * 4)
)


def mapping_url(version: DatasetVersion) -> str:
    return f"{version.dataset.get_absolute_url()}mapping/"


def shown(client: Client, version: DatasetVersion, **asked: str) -> str:
    page = client.get(mapping_url(version), asked, headers={"HX-Request": "true"})
    assert page.status_code == 200
    return page.content.decode()


def test_an_encoding_is_asked_for_and_kept(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    version = upload(SHORT, "talk.csv")
    assert version.status == "needs_mapping"
    assert "Russian" in version.error["message"]
    page = shown(alice_client, version, **{"read-encoding": "koi8-r"})
    assert "Сколько" in page and "Триста" in page
    assert "Сколько" not in shown(alice_client, version, **{"read-encoding": "cp1252"})
    chosen = {"format": "prompt_completion", "of": "prompt_completion", "column-0": "prompt",
              "column-1": "completion", "read-encoding": "koi8-r"}  # fmt: skip
    assert alice_client.post(mapping_url(version), chosen).status_code == 302
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.reading) == ("ready", {"encoding": "koi8-r"})
    (row,) = rows_page(version, 0, 5)
    assert row.example["messages"][1]["content"] == "Триста"
    assert 'value="koi8-r" selected' in shown(alice_client, version)


def test_rows_above_and_no_header(upload: Importer, alice_client: Client, queue: FakeQueue) -> None:
    version = upload(SURVEY, "survey.csv")
    page = shown(alice_client, version, **{"read-skip_rows": "2", "read-header_rows": "0"})
    assert "column_1" in page and "Why 0?" in page
    wrong = shown(alice_client, version, **{"read-skip_rows": "many"})
    assert "Rows above the table" in wrong


def test_the_way_to_it_stands_beside_the_file(upload: Importer, alice_client: Client) -> None:
    version = upload(SURVEY.replace("asked,told", "prompt,completion"), "survey.csv")
    assert version.status == "ready"
    address = version.dataset.get_absolute_url()
    link = f'<a href="{mapping_url(version)}">Read the file another way</a>'
    assert link in alice_client.get(address).content.decode()
    button = f'<a class="btn btn-plain" href="{mapping_url(version)}">Read the file another way</a>'
    assert button in alice_client.get(f"{address}findings/").content.decode()


def test_what_divides_labels_is_found_and_shown(upload: Importer, alice_client: Client) -> None:
    version = upload(LABELLED, "labels.tsv")
    assert version.facts["guess"]["name"] == "multi_label"
    page = shown(alice_client, version)
    assert '<option value="," selected>' in page
    assert '<span class="tag">a</span>' in page


def test_the_api_takes_it_beside_the_columns(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    version = upload(SHORT, "talk.csv")
    url = f"/api/v1/datasets/{version.dataset_id}/mapping"
    body = {"name": "prompt_completion", "prompt": "prompt", "completion": "completion"}
    refused = alice_client.post(
        url, json.dumps(body | {"reading": {"encoding": "klingon"}}), "application/json"
    )
    assert refused.status_code == 422
    assert "klingon" in refused.content.decode()
    known = alice_client.get(f"/api/v1/datasets/{version.dataset_id}").json()
    assert (known["read_as"]["delimiter"], known["sheets"]) == (",", [])
    taken = alice_client.post(
        url, json.dumps(body | {"reading": {"encoding": "koi8-r"}}), "application/json"
    )
    assert (taken.status_code, taken.json()["reading"]) == (202, {"encoding": "koi8-r"})


def test_near_duplicates_stand_beside_each_other(upload: Importer, alice_client: Client) -> None:
    words = " ".join(f"word{n}" for n in range(40))
    rows = [{"prompt": f"Tell {words} once more", "completion": f"Certainly {words}, so be it"}]
    rows += [{"prompt": f"Tell {words} once again", "completion": f"Certainly {words}, so be it"}]
    rows += [{"prompt": f"question {n * 7919}", "completion": f"answer {n}"} for n in range(20)]
    version = upload("".join(json.dumps(row) + "\n" for row in rows), "pairs.jsonl")
    page = alice_client.get(f"{version.dataset.get_absolute_url()}findings/").content.decode()
    assert version.findings.get(code="near_duplicate").other == 1
    assert "<mark>again</mark>" in page
    assert "<mark>more</mark>" in page
