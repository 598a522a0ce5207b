"""Saying which column is which, on the page and by the service."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from datasets_app.forms import MappingForm
from datasets_app.selectors import rows_page
from datasets_app.services import set_mapping
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.errors import ConfigError
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

pytestmark = pytest.mark.usefixtures("checked_here")

UNKNOWN = "question_text,reply_text,id\n" + "".join(f"Why {i}?,So {i}.,{i}\n" for i in range(30))


def test_unknown_columns_ask_for_a_mapping(upload: Importer, alice_client: Client) -> None:
    version = upload(UNKNOWN, "faq.csv")
    assert (version.status, version.rows, version.format) == ("needs_mapping", 0, None)
    assert version.columns == ["question_text", "reply_text", "id"]
    page = alice_client.get(version.dataset.get_absolute_url()).content.decode()
    assert version.error["message"] in page.replace("&#x27;", "'")
    mapping = alice_client.get(f"{version.dataset.get_absolute_url()}mapping/").content.decode()
    assert "Why 0?" in mapping
    assert mapping.count('<select class="form-select" name="column-') == 3


def test_the_page_says_what_is_missing_and_then_checks(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    version = upload(UNKNOWN, "faq.csv")
    url = f"{version.dataset.get_absolute_url()}mapping/"
    half = {"format": "prompt_completion", "of": "prompt_completion", "column-0": "prompt"}
    live = alice_client.get(url, half, headers={"HX-Request": "true"}).content.decode()
    assert "Choose the column with the completion." in live
    assert "<html" not in live
    twice = alice_client.post(url, half | {"column-1": "prompt"})
    assert twice.status_code == 422
    assert "Two columns are chosen as prompt." in twice.content.decode()

    done = alice_client.post(url, half | {"column-1": "completion"})
    assert done.status_code == 302
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows, version.bad_rows) == ("ready", 30, 0)
    assert version.format["completion"] == "reply_text"
    assert [finding.code for finding in version.findings.all()] == ["not_read"]  # the ids


@pytest.mark.parametrize("name", sorted(formats))
def test_every_format_has_its_form(name: str, upload: Importer, alice_client: Client) -> None:
    version = upload(UNKNOWN, "faq.csv")
    form = MappingForm(version, {"format": name})
    assert form.name == name
    assert any(part.is_required for part in form.parts)
    assert all(part.title and part.help for part in form.parts)
    page = alice_client.get(f"{version.dataset.get_absolute_url()}mapping/", {"format": name})
    assert formats[name].label in page.content.decode()


def test_several_columns_may_be_classes(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    table = "what,new,good\n" + "".join(f"Thing {i},{i % 2},{i % 3 % 2}\n" for i in range(12))
    version = upload(table, "things.csv")
    form = {"format": "label_columns", "of": "label_columns", "column-0": "text"}
    url = f"{version.dataset.get_absolute_url()}mapping/"
    assert "Choose the column with the class." in alice_client.get(url, form).content.decode()
    chosen = form | {"column-1": "classes", "column-2": "classes"}
    assert alice_client.post(url, chosen).status_code == 302
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows) == ("ready", 12)
    assert version.format["classes"] == ["new", "good"]
    again = MappingForm(version)
    assert [column.part for column in again.columns] == ["text", "classes", "classes"]


@pytest.mark.parametrize(
    ("format", "path"),
    [
        ({"name": "nonsense"}, "name"),
        ({}, "name"),
        ({"name": "prompt_completion", "prompt": "nope", "completion": "id"}, "prompt"),
        ({"name": "prompt_completion", "prompt": "id"}, "completion"),
        ({"name": "text", "text": "id", "weight": 3}, "weight"),
        ({"name": "label_columns", "text": "id", "classes": ["nope"]}, "classes"),
        ({"name": "label_columns", "text": "id", "classes": []}, "classes"),
        ({"name": "text", "text": "{id} {nope}"}, "text"),
        ({"name": "text", "text": "{id"}, "text"),
        ({"name": "messages", "messages": "{id}"}, "messages"),
    ],
)
def test_impossible_mappings_name_the_mistake(
    format: dict[str, object], path: str, upload: Importer
) -> None:
    version = upload(UNKNOWN, "faq.csv")
    with pytest.raises(ConfigError) as failure:
        set_mapping(version=version, format=format)
    assert path in [problem.path for problem in failure.value.problems]


def test_a_ready_version_gets_a_successor(upload: Importer, queue: FakeQueue) -> None:
    version = upload()
    new = set_mapping(
        version=version,
        format={"name": "prompt_completion", "prompt": "completion", "completion": "prompt"},
    )
    queue.work()
    new.refresh_from_db()
    version.refresh_from_db()
    assert (version.number, version.status, version.rows_path.exists()) == (1, "ready", True)
    assert (new.number, new.status, new.rows) == (2, "ready", 25)
    assert new.sha256 == version.sha256
    assert version.dataset.newest == new


def test_columns_are_combined_by_a_template(upload: Importer, queue: FakeQueue) -> None:
    version = upload(UNKNOWN, "faq.csv")
    mapped = set_mapping(version=version, format={"name": "text", "text": "{id}: {reply_text}"})
    queue.work()
    mapped.refresh_from_db()
    assert (mapped.status, mapped.rows, mapped.bad_rows) == ("ready", 30, 0)
    assert next(rows_page(mapped, 0, 1)).example == {"text": "0: So 0."}


def test_the_page_combines_columns(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    table = "titel;tekst;antwoord\n" + "".join(f"t{i};b {i};a {i}\n" for i in range(9))
    version = upload(table, "rows.csv")
    url = reverse("datasets:mapping", args=[version.dataset_id])
    form = {"format": "prompt_completion", "of": "prompt_completion", "column-2": "completion"}
    wrong = alice_client.post(url, form | {"column-0": "", "template-prompt": "{no}"})
    assert wrong.status_code == 422
    chosen = form | {"column-0": "", "template-prompt": "{titel}: {tekst}"}
    assert alice_client.post(url, chosen).status_code == 302
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows) == ("ready", 9)
    assert next(rows_page(version, 0, 1)).example["messages"][0]["content"] == "t0: b 0"
    again = alice_client.get(url).content.decode()
    assert "{titel}: {tekst}" in again


def test_long_lists_of_exchanges_are_asked_about(
    upload: Importer, alice_client: Client, queue: FakeQueue
) -> None:
    exchanges = [{"input": f"question {n}", "output": f"answer {n}"} for n in range(40)]
    version = upload(json.dumps({"conversations": exchanges}), "talk.json")
    assert version.status == "needs_mapping"
    url = f"{version.dataset.get_absolute_url()}mapping/"
    page = alice_client.get(url).content.decode()
    assert "One row is" in page
    assert page.count('name="option-unit"') == 2
    chosen = {"format": "conversation", "of": "conversation", "column-0": "conversations"}
    alice_client.post(url, chosen | {"option-unit": "exchange"})
    queue.work()
    version.refresh_from_db()
    assert (version.status, version.rows) == ("ready", 40)
    assert "question 0" not in str(list(rows_page(version, 1, 39)))


def test_what_is_not_read_is_on_the_page_and_in_the_api(
    upload: Importer, alice_client: Client
) -> None:
    rows = [{"prompt": f"q{n}", "completion": f"a{n}", "hints": ["x"]} for n in range(6)]
    version = upload("".join(f"{json.dumps(row)}\n" for row in rows), "rows.jsonl")
    page = alice_client.get(version.dataset.get_absolute_url()).content.decode()
    told = "The column “hints” is not read: 6 of 6 records (100 %) hold something there."
    assert told in page
    address = f"/api/v1/datasets/{version.dataset_id}/findings"
    assert told in [finding["message"] for finding in alice_client.get(address).json()["items"]]


def test_tools_and_reasoning_are_shown_with_the_row(upload: Importer, alice_client: Client) -> None:
    call = {"function": {"name": "look_up", "arguments": {"city": "Oslo"}}}
    chat = [
        {"role": "user", "content": "weather"},
        {"role": "assistant", "content": "", "tool_calls": [call], "thinking": "ask the tool"},
        {"role": "tool", "content": "3"},
        {"role": "assistant", "content": "3 degrees"},
    ]
    row = {"messages": chat, "tools": [{"name": "look_up", "description": "finds weather"}]}
    version = upload(json.dumps(row) + "\n", "rows.jsonl")
    page = alice_client.get(version.dataset.get_absolute_url()).content.decode()
    for word in ("calls look_up", "Oslo", "ask the tool", "1 tool to call", "finds weather"):
        assert word in page
