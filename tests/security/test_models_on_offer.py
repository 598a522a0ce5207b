"""Which models a member may name: folders that are offered, names that only they know of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Conversation, Evaluation, LanguageModel
from jobs.services.ingest import record_events
from jobs.services.runs import create_run
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import check_folder
from tests.jobs.runs import begin, claimed
from tests.security.conftest import by_key, config_of, post


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> Path:
    """A folder beside the one that is offered."""
    settings.MODEL_ROOTS = [tmp_path / "offered"]
    (tmp_path / "offered").mkdir()
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def said_of(client: Client, user: User, name: str) -> dict[str, Any]:
    answer = post(client, "/api/v1/runs", config_of(user, name))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error.pop("value") == name
    return error


def test_one_answer_for_what_is_not_offered_whether_it_is_there_or_not(
    alice: User, outside: Path, llama_folder: Path
) -> None:
    """`llama_folder` could be trained; it lies beside the folder that is offered."""
    script = by_key(alice)
    (outside / "config.json").write_text("{}")
    (outside / "pytorch_model.bin").touch()
    names = [
        *map(str, (outside, outside / "nothing", llama_folder, llama_folder / "config.json")),
        "/", "/root", "/etc/passwd", "/proc/1/root", "~/", "./", "../", f"{outside}/../outside",
    ]  # fmt: skip
    answers = [said_of(script, alice, name) for name in names]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["path"] == "model.name"


def test_a_folder_that_is_offered_is_taken(
    alice: User, outside: Path, llama_folder: Path, settings: Any
) -> None:
    settings.MODEL_ROOTS = [llama_folder.parent]
    answer = post(by_key(alice), "/api/v1/runs", config_of(alice, str(llama_folder)))
    assert answer.status_code == 201, answer.text


def test_a_link_does_not_lead_out_of_what_is_offered(
    alice: User, outside: Path, llama_folder: Path
) -> None:
    link = outside.parent / "offered" / "llama"
    link.symlink_to(llama_folder)
    script = by_key(alice)
    assert said_of(script, alice, str(link)) == said_of(script, alice, "/no/such/folder")


def test_a_name_that_was_never_there_is_its_users_alone(alice: User, bob: User) -> None:
    for user in (alice, bob):
        answer = post(by_key(user), "/api/v1/runs", config_of(user, "lab/secret-plan"))
        assert answer.status_code == 201, answer.text
    mine, theirs = (LanguageModel.objects.get(owner=user) for user in (alice, bob))
    assert mine.name == theirs.name == "lab/secret-plan"
    seen = by_key(bob).get("/api/v1/models").json()["items"]
    assert [model["id"] for model in seen] == [theirs.pk]
    assert by_key(bob).get(f"/api/v1/models/{mine.pk}").status_code == 404


def test_once_it_is_there_it_is_everybodys_and_one(alice: User, bob: User) -> None:
    first, second = (
        create_run(owner=user, config=RunConfig.parse(config_of(user, "lab/model")))
        for user in (alice, bob)
    )
    theirs = LanguageModel.objects.get(owner=bob)
    chat = Conversation.objects.create(owner=bob, title="x", left=theirs)
    assert second.dataset
    measured = Evaluation.objects.create(owner=bob, dataset=second.dataset)
    measured.measured.set(LanguageModel.objects.all())
    run = claimed(first)
    record_events(run.pk, run.attempt, begin())
    shared = LanguageModel.objects.get()
    assert (shared.name, shared.owner) == ("lab/model", None)
    second.refresh_from_db()
    chat.refresh_from_db()
    assert second.base_model == chat.left == shared
    assert list(measured.measured.all()) == [shared]


@pytest.mark.parametrize(
    "entry",
    [
        {"_attn_implementation": "owner/repo"},
        {"attn_implementation": "kernels-community/flash-attn@main:f"},
        {"attn_implementation": {"": "owner/repo", "text_config": "sdpa"}},
        {"text_config": {"_attn_implementation": "owner/repo"}},
        {"experts_implementation": "owner/repo"},
        {"_experts_implementation_internal": "x"},
        {"use_kernels": True},
        {"kernel_config": {"RMSNorm": "owner/repo"}},
        {"trust_remote_code": True},
        {"custom_generate": "owner/repo"},
    ],
)
def test_a_model_that_would_fetch_code_is_refused(
    llama_folder: Path, entry: dict[str, Any]
) -> None:
    for name in ("config.json", "generation_config.json"):
        path = llama_folder / name
        before = path.read_text() if path.exists() else "{}"
        path.write_text(json.dumps(json.loads(before) | entry))
        with pytest.raises(ModelError, match="code of its own"):
            check_folder(llama_folder)
        path.write_text(before)


@pytest.mark.parametrize("choice", ["eager", "sdpa", "flash_attention_2", None])
def test_a_plain_choice_of_attention_is_fine(llama_folder: Path, choice: str | None) -> None:
    path = llama_folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_attn_implementation": choice}))
    assert check_folder(llama_folder)
