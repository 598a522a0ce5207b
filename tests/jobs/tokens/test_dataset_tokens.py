"""The tab Tokens: what a model will see of a dataset, worked out by the queue and kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel
from jobs.tokens import process
from maxaillm.dev.finetune.__main__ import main
from tests import tiny
from tests.conftest import FakeQueue
from tests.jobs.runs import make_dataset
from tests.stored_rows import stored_rows

ANSWER = "It is red. " * 8


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    chats = tiny.conversations(24)
    chats[1]["messages"][0]["content"] = "<b>\x07\u202e</b>"
    chats[2]["messages"][1]["content"] = ANSWER
    digest = stored_rows(chats)
    form = {"name": "messages"}
    return make_dataset(alice, rows=24, rows_sha256=digest, format=form)


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine works in this process: quicker, where that is all the same."""
    monkeypatch.setattr(process, "run", lambda argv, place: main(argv))


def address(version: DatasetVersion, model: LanguageModel, **options: Any) -> str:
    options = {"model": model.name, "max_length": 100} | options
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"/datasets/{version.dataset_id}/tokens/?{query}"


@pytest.mark.usefixtures("engine_here")
def test_a_row_is_shown_token_by_token_once_a_worker_has_looked(
    alice_client: Client, version: DatasetVersion, base: LanguageModel, queue: FakeQueue
) -> None:
    page = address(version, base)
    waiting = alice_client.get(page)
    assert b"every 500ms" in waiting.content
    assert [job.queue for job in queue.jobs] == ["light", "light"]
    alice_client.get(page)
    assert len(queue.jobs) == 2
    queue.work()
    shown = alice_client.get(page)
    assert not queue.jobs
    assert b"every 500ms" not in shown.content
    assert shown.context["facts"]["rows"] == 24
    assert b'<i class="tok" data-kind="trained"' in shown.content
    assert b'data-kind="special" data-special' in shown.content
    part = alice_client.get(page, headers={"HX-Request": "true"})
    assert b"<html" not in part.content


@pytest.mark.usefixtures("engine_here")
def test_cut_tokens_are_struck_and_hidden_characters_written_out(
    alice_client: Client, version: DatasetVersion, base: LanguageModel, queue: FakeQueue
) -> None:
    def shown(**options: Any) -> str:
        alice_client.get(address(version, base, **options))
        queue.work()
        return alice_client.get(address(version, base, **options)).content.decode()

    page = shown(row=3)
    assert 'data-kind="cut"' in page
    assert "1 of 24 rows, 4.2 %, are cut" in page
    page = shown(row=2)
    assert "&lt;</i>" in page
    assert "\\u0007" in page
    assert "\\u202e" in page
    assert "\u202e" not in page
    assert "A run would be refused" in shown(max_length=16)
    assert "There is no such row" in shown(row=99)


@pytest.mark.usefixtures("engine_here")
def test_a_row_has_the_number_that_the_tab_rows_has(
    alice_client: Client, alice: User, base: LanguageModel, queue: FakeQueue
) -> None:
    chats = tiny.conversations(24)
    chats[1]["messages"][1]["content"] = ANSWER
    digest = stored_rows(chats, numbers=range(3, 51, 2))
    version = make_dataset(alice, rows=24, rows_sha256=digest, format={"name": "messages"})
    own = f"/datasets/{version.dataset_id}/"
    alice_client.get(address(version, base))
    queue.work()

    first = alice_client.get(address(version, base)).context
    second = alice_client.get(address(version, base, row=5)).context
    assert (first["choice"].row, first["before"]) == (3, "")
    assert "row=5&" in first["after"] and "row=3&" in second["before"]
    assert (second["place"], second["row"]["number"]) == (2, 5)
    assert [number for number, _ in second["findings"][0]["rows"]] == [5]
    assert (
        "There is no such row" in alice_client.get(address(version, base, row=4)).content.decode()
    )
    assert f'href="{own}?row=5&amp;v=1#row-5"' in text_of(
        alice_client, address(version, base, row=5)
    )
    assert f'href="{own}tokens/?row=5"' in text_of(alice_client, own)


def text_of(client: Client, page: str) -> str:
    return client.get(page).content.decode()


@pytest.mark.usefixtures("engine_here")
def test_an_adapter_reads_as_its_base(
    alice_client: Client,
    alice: User,
    bob: User,
    version: DatasetVersion,
    base: LanguageModel,
    queue: FakeQueue,
) -> None:
    mine, theirs = (
        LanguageModel.objects.create(owner=owner, name=f"{owner} #1", kind="adapter", base=base)
        for owner in (alice, bob)
    )
    page = address(version, mine).replace("#", "%23")
    assert theirs.name not in dict(alice_client.get(page).context["offered"])
    queue.work()
    shown = alice_client.get(page)
    assert mine.name in dict(shown.context["offered"])
    assert shown.context["row"]["streams"]
    assert not alice_client.get(address(version, theirs).replace("#", "%23")).context.get("row")


def test_nobody_else_sees_it(
    bob_client: Client, client: Client, version: DatasetVersion, base: LanguageModel
) -> None:
    assert bob_client.get(address(version, base)).status_code == 404
    assert client.get(address(version, base)).status_code == 302


def test_a_model_of_somebody_else_is_not_shown(
    alice_client: Client, bob: User, version: DatasetVersion, queue: FakeQueue
) -> None:
    theirs = LanguageModel.objects.create(owner=bob, name="bobs #1", kind="full")
    page = alice_client.get(address(version, theirs))
    assert "neither a folder nor a name" in page.content.decode()
    assert not queue.jobs


@pytest.mark.usefixtures("engine_here")
def test_the_view_follows_the_options_of_a_run(
    alice_client: Client, alice: User, base: LanguageModel, queue: FakeQueue
) -> None:
    chats = tiny.conversations(24)
    chats[0]["messages"][1] |= {"content": "It is <|im_end|> red.", "reasoning": "Hm."}
    digest = stored_rows(chats)
    version = make_dataset(alice, rows=24, rows_sha256=digest, format={"name": "messages"})

    def seen(**options: str) -> tuple[int, int]:
        """How many tokens of the first row are learned, and how many are special."""
        alice_client.get(address(version, base, **options))
        queue.work()
        context = alice_client.get(address(version, base, **options)).context
        told = {select["name"]: select["chosen"] for select in context["selects"]}
        usual = {"train_on": "answers", "learn_reasoning": "true", "control_words": "text"}
        assert told == usual | options
        (stream,) = context["row"]["streams"]
        return stream["trained"], sum(token["special"] for token in stream["tokens"])

    trained, special = seen()
    assert seen(learn_reasoning="false")[0] < trained
    assert seen(control_words="tokens")[1] == special + 1
    assert seen(train_on="all")[0] > trained


@pytest.mark.parametrize(
    "option", [{"max_length": 3}, {"max_length": "x"}, {"train_on": "x"}, {"control_words": "x"}]
)
def test_an_option_that_can_not_be_is_said(
    alice_client: Client,
    version: DatasetVersion,
    base: LanguageModel,
    queue: FakeQueue,
    option: dict[str, Any],
) -> None:
    page = alice_client.get(address(version, base, **option))
    assert page.status_code == 200
    assert page.context["problems"]
    assert not queue.jobs


@pytest.mark.parametrize("row", ["0", "-1", "x", "9" * 40])
def test_a_row_that_is_none_is_the_first(
    alice_client: Client, version: DatasetVersion, base: LanguageModel, row: str
) -> None:
    assert alice_client.get(address(version, base, row=row)).context["choice"].row == 1


@pytest.mark.usefixtures("engine_here")
def test_a_model_that_can_not_be_read_is_said(
    alice_client: Client,
    version: DatasetVersion,
    base: LanguageModel,
    queue: FakeQueue,
    tmp_path: Path,
) -> None:
    folder = tiny.make_llama(tmp_path / "broken")
    (folder / "tokenizer.json").write_text("{}")
    model = LanguageModel.objects.create(name=str(folder), kind="base")
    alice_client.get(address(version, model))
    queue.work()
    page = alice_client.get(address(version, model)).content.decode()
    assert "The tokenizer in broken can&#x27;t be loaded" in page


def test_a_process_that_dies_is_said_and_tried_again_later(
    alice_client: Client,
    version: DatasetVersion,
    base: LanguageModel,
    queue: FakeQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "run", lambda argv, place: None)
    page = address(version, base)
    alice_client.get(page)
    queue.work()
    assert "the process ended early" in alice_client.get(page).content.decode()
    assert not queue.jobs
    monkeypatch.setattr("jobs.tokens.requests.FAILED_SECONDS", -1)
    alice_client.get(page)
    assert len(queue.jobs) == 2


@pytest.mark.slow
def test_the_engine_is_a_process_of_its_own(
    alice_client: Client, version: DatasetVersion, base: LanguageModel, queue: FakeQueue
) -> None:
    page = address(version, base)
    alice_client.get(page)
    queue.work()
    shown = alice_client.get(page)
    assert shown.context["facts"]["rows"] == 24
    (request,) = version.root.glob("tokens/*/run.json")
    assert json.loads(request.read_text())["data"]["train_file"] == str(version.training_path)


@pytest.mark.usefixtures("engine_here")
def test_the_preview_says_what_a_template_refuses(
    tmp_path: Path, alice: User, alice_client: Client, base: LanguageModel, queue: FakeQueue
) -> None:
    folder = shutil.copytree(base.name, tmp_path / "strict")
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('No system.') }}{% endif %}"
    (folder / "chat_template.jinja").write_text(refusing + tiny.CHAT_TEMPLATE)
    strict = LanguageModel.objects.create(name=str(folder), kind="base", size_bytes=10**6)
    chats = tiny.conversations(6)
    for chat in chats[:2]:
        chat["messages"].insert(0, {"role": "system", "content": "Be kind."})
    version = make_dataset(
        alice, rows=6, rows_sha256=stored_rows(chats), format={"name": "messages"}
    )
    page = address(version, strict).replace("/tokens/", "/tokens/findings/")
    assert b"load delay" in alice_client.get(page).content
    queue.work()
    told = alice_client.get(page).content.decode()
    assert "load delay" not in told
    assert "2 of 6 rows would be left out" in told
    assert "2 rows: No system. Use “Remove system prompts”" in told
