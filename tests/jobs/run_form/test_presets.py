"""Presets: what they set, in the form with a script and without, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.presets import FIELDS, PRESETS
from tests.jobs.run_form.test_run_new import FORM, NEW, sent
from tests.jobs.runs import make_dataset


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    LanguageModel.objects.get_or_create(owner=None, name="starter/chat", kind="base")
    return make_dataset(alice, rows=1)


def with_changes(name: str) -> RunConfig:
    raw: dict[str, Any] = {"model": {"name": "starter/chat"}}
    for path, value in PRESETS[name].changes.items():
        section, option = path.split(".")
        raw.setdefault(section, {})[option] = value
    return RunConfig.parse(raw)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_configuration_and_balanced_is_as_nothing_said(name: str) -> None:
    assert set(PRESETS[name].changes) == set(FIELDS)
    plain = RunConfig.parse({"model": {"name": "starter/chat"}})
    assert (with_changes(name) == plain) == (name == "balanced")


def test_the_form_shows_what_each_would_change(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    panel = alice_client.get(NEW).context["presets"]
    assert panel["chosen"] == "balanced"
    changes = {option.value: option.changes for option in panel["options"]}
    [steps] = changes["quick_look"]
    assert (steps.before, steps.after) == ("as recommended", "60")
    fixes = {option.value: json.loads(option.fix) for option in panel["options"]}
    assert fixes["quick_look"]["training.max_steps"] == 60
    assert fixes["quick_look"]["model.gradient_checkpointing"] is False


def test_with_a_script_the_fields_say_which_preset_it_is(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    quick = sent(alice, training__max_steps="60", preset="balanced")
    assert alice_client.post(FORM, quick).context["presets"]["chosen"] == "quick_look"
    own = sent(alice, training__max_steps="61")
    assert alice_client.post(FORM, own).context["presets"]["chosen"] == ""


def test_without_a_script_another_preset_takes_the_place_of_the_first(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    asked = {"show": "form", "preset": "least_memory", "preset-shown": "quick_look"}
    page = alice_client.post(NEW, sent(alice, training__max_steps="60") | asked)
    assert page.context["presets"]["chosen"] == "least_memory"
    form = page.context["forms"].form.parts
    assert form["training"]["max_steps"].value() in (None, "")
    assert form["model"]["gradient_checkpointing"].value()
    kept = {"show": "form", "preset": "quick_look", "preset-shown": "quick_look"}
    page = alice_client.post(NEW, sent(alice, training__max_steps="61") | kept)
    assert page.context["forms"].form.parts["training"]["max_steps"].value() == "61"
    assert not Run.objects.exists()


def test_a_preset_is_sent_with_the_run(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    fields = {f"{path.replace('.', '__')}": str(value) for path, value in
              PRESETS["best_quality"].sets.items()}  # fmt: skip
    alice_client.post(NEW, sent(alice, **fields))
    training = Run.objects.get().parsed_config.training
    assert training.load_best_model_at_end
    assert training.early_stopping_patience == 3


def test_the_command_takes_a_preset_and_options_count_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a b c"}\n' * 40)
    file.write_text(
        json.dumps({"model": {"name": "starter/chat"}, "data": {"train_file": str(rows)}})
    )

    def steps(*more: str) -> int:
        assert main(["estimate", str(file), *more, "--preset", "quick_look", "--json"]) == 0
        return int(json.loads(capsys.readouterr().out)["steps"])

    assert steps() == 60
    assert steps("training.max_steps=7") == 7
