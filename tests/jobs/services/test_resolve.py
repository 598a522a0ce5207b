"""What a configuration names is found by one rule, whoever asks: page, API, tokens, attempt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from jobs.services.resolve import resolve
from jobs.services.runs import create_run
from jobs.training.attempt_folder import prepare
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, DataError
from tests import tiny
from tests.jobs.runs import claimed, make_dataset, make_run

CHATS = {"name": "messages"}


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    return make_dataset(alice, rows=9, format=CHATS)


@pytest.fixture
def starter(db: None) -> LanguageModel:
    return LanguageModel.objects.create(name="starter/chat", kind="base")


def config(version: DatasetVersion, model: str = "starter/chat", **sections: Any) -> RunConfig:
    return RunConfig.parse(
        {"model": {"name": model}, "data": {"dataset": version.dataset_id}} | sections
    )


def adapter(owner: User, base: LanguageModel, name: str = "bot #1") -> LanguageModel:
    return LanguageModel.objects.create(
        owner=owner, name=name, kind="adapter", base=base, run=make_run(owner), attempt=1
    )


def problems(config: RunConfig, user: User) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        resolve(config, user)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.usefixtures("starter")
def test_dataset_model_settings_and_defaults(alice: User, version: DatasetVersion) -> None:
    found = resolve(config(version), alice)
    assert (found.version, found.source, found.base) == (version, "starter/chat", "starter/chat")
    assert found.settings is not None
    assert found.settings["model_type"] == "llama"
    assert found.config.task == "causal_lm"
    assert found.config.evaluation.metrics
    engine = found.for_engine()
    assert (engine.data.dataset, engine.data.train_file) == (None, str(version.training_path))


def test_the_newest_version_that_is_ready_unless_one_is_asked_for(
    alice: User, version: DatasetVersion
) -> None:
    more = {"rows_sha256": version.rows_sha256, "format": CHATS}
    second, _ = (
        version.dataset.versions.create(number=number, status=status, **more)
        for number, status in ((2, "ready"), (3, "checking"))
    )
    assert resolve(config(version), alice).version == second
    data = {"dataset": version.dataset_id, "version": 1}
    assert resolve(config(version, data=data), alice).version == version
    missing = problems(config(version, data=data | {"version": 3}), alice)
    assert missing == {"data.dataset": "There is no such dataset that is ready."}


def test_a_model_that_is_not_here_has_no_settings(alice: User, version: DatasetVersion) -> None:
    asked = config(version, "nobody/nothing")
    found = resolve(asked, alice)
    assert (found.model, found.settings, found.refused_methods) == (None, None, {})
    assert found.config == asked


def test_nothing_is_written_before_a_run_is_made(
    alice: User, version: DatasetVersion, tmp_path: Path
) -> None:
    folder = tiny.make_llama(tmp_path / "llama")
    assert resolve(config(version, str(folder)), alice).model is None
    assert not LanguageModel.objects.exists()
    made = create_run(owner=alice, config=config(version, str(folder))).base_model
    assert made is not None
    assert (made.owner, made.name, made.kind) == (alice, str(folder), "base")
    assert made.size_bytes > 0
    assert resolve(config(version, str(folder)), alice).model == made


def test_nobody_tunes_a_folder_of_the_site(alice: User, bob: User, version: DatasetVersion) -> None:
    theirs = make_run(bob).attempt_folder(1).model
    theirs.mkdir(parents=True)
    assert "no folder" in problems(config(version, str(theirs)), alice)["model.name"]


def test_an_unsafe_folder_is_refused_also_once_it_is_known(
    alice: User, version: DatasetVersion, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").touch()
    unsafe = config(version, str(tmp_path))
    assert "pickle" in problems(unsafe, alice)["model.name"]
    LanguageModel.objects.create(owner=alice, name=str(tmp_path), kind="base")
    assert "pickle" in problems(unsafe, alice)["model.name"]


def test_a_tuned_model_is_its_owners(alice: User, bob: User, starter: LanguageModel) -> None:
    tuned = adapter(bob, starter)
    theirs, mine = make_dataset(bob, format=CHATS), make_dataset(alice, format=CHATS)
    assert resolve(config(theirs, "bot #1"), bob).model == tuned
    assert problems(config(mine, "bot #1"), alice).keys() == {"model.name"}


def test_an_adapter_goes_by_the_settings_of_the_model_below(
    alice: User, version: DatasetVersion, starter: LanguageModel
) -> None:
    first = adapter(alice, starter)
    second = adapter(alice, first, "bot #2")
    found = resolve(config(version, "bot #2"), alice)
    assert (found.model, found.source, found.base) == (second, second.source, "starter/chat")
    assert found.settings == resolve(config(version), alice).settings
    assert found.for_engine().model.name == second.source
    assert found.for_engine(found.base).model.name == "starter/chat"


@pytest.mark.usefixtures("starter")
@pytest.mark.parametrize(
    ("section", "options", "path"),
    [
        ("data", {"dataset": 10**6}, "data.dataset"),
        ("data", {"train_file": "/etc/passwd"}, "data.train_file"),
        ("model", {"name": "/no/such/folder"}, "model.name"),
        ("training", {"loss": {"name": "dpo"}}, "training.loss.name"),
    ],
)
def test_preview_and_creation_say_the_same(
    api_token: str, version: DatasetVersion, section: str, options: dict[str, Any], path: str
) -> None:
    body = config(version).model_dump(mode="json")
    body[section] |= options
    script = Client(headers={"Authorization": f"Bearer {api_token}"})
    created, previewed = (
        script.post(address, body, content_type="application/json")
        for address in ("/api/v1/runs", "/api/v1/runs/estimate")
    )
    assert created.status_code == previewed.status_code == 422
    assert created.json()["errors"] == previewed.json()["errors"]
    assert [error["path"] for error in created.json()["errors"]] == [path]
    assert not Run.objects.exists()


@pytest.mark.usefixtures("starter")
def test_the_tokens_of_a_dataset_are_refused_with_the_same_words(
    alice: User, alice_client: Client, version: DatasetVersion
) -> None:
    page = alice_client.get(f"/datasets/{version.dataset_id}/tokens/?model=/no/such/folder")
    said = {problem.path: problem.message for problem in page.context["problems"]}
    assert said == problems(config(version, "/no/such/folder"), alice)


def test_an_attempt_has_what_the_run_was_made_with(
    alice: User, version: DatasetVersion, starter: LanguageModel
) -> None:
    """Whatever became of the names since: newer versions, a deleted dataset, a renamed model."""
    run = create_run(owner=alice, config=config(version))
    version.dataset.versions.create(number=2, status="ready", rows_sha256="0" * 64)
    type(version.dataset).objects.update(deleted=timezone.now())
    LanguageModel.objects.filter(pk=starter.pk).update(deleted=timezone.now())
    run = claimed(run)
    run.attempt_folder(1).root.mkdir(parents=True)
    prepared = prepare(run)
    written = json.loads(prepared.folder.config.read_text())
    assert written["data"]["train_file"] == str(version.training_path)
    assert (written["data"]["dataset"], written["model"]["name"]) == (None, "starter/chat")
    assert written["task"] == "causal_lm"
    assert not prepared.is_online
    version.rows_path.unlink()
    with pytest.raises(DataError, match="rows of the dataset are gone"):
        prepare(run)


def test_of_two_models_of_a_name_ones_own_is_meant(alice: User, bob: User) -> None:
    common = LanguageModel.objects.create(name="twice", kind="base")
    own = LanguageModel.objects.create(name="twice", kind="full", owner=alice)
    assert LanguageModel.objects.visible_to(alice).named("twice") == own
    assert LanguageModel.objects.visible_to(bob).named("twice") == common
    assert LanguageModel.objects.visible_to(alice).named("tw\0ice") is None
