"""A model folder whose settings and weights don't belong together: nothing is lost or made up."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.conftest import Train


def changed(llama: Path, folder: Path, **settings: Any) -> Path:
    copytree(llama, folder)
    config = json.loads((folder / "config.json").read_text())
    layers = settings.pop("more_layers", 0)
    config |= {"num_hidden_layers": config["num_hidden_layers"] + layers, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    rows = [{"text": f"some words {n}", "label": "ab"[n % 2]} for n in range(24)]
    return tiny.write_lines(tmp_path / "classes.jsonl", rows)


@pytest.mark.parametrize("settings", [{"more_layers": 1}, {"intermediate_size": 24}])
def test_a_classifier_is_not_tuned_on_layers_that_are_random_numbers(
    llama: Path, train: Train, tmp_path: Path, classes: Path, settings: dict[str, Any]
) -> None:
    base = changed(llama, tmp_path / "base", **settings)
    with pytest.raises(ModelError, match=r"lacks weights.*model\.layers"):
        train(base, task="sequence_classification", data={"train_file": str(classes)})


def test_weights_without_a_place_are_told_of(
    llama: Path, train: Train, tmp_path: Path, classes: Path
) -> None:
    base = changed(llama, tmp_path / "base", more_layers=-1)
    events = train(base, task="sequence_classification", data={"train_file": str(classes)})
    warnings = [str(event.data["message"]) for event in events if event.kind == "warning"]
    assert any("model.layers." in message and "left out" in message for message in warnings)
    with pytest.warns(UserWarning, match=r"left out: model\.layers\."):
        MaxHuggingFaceLLM(base)


def test_heads_of_other_tasks_are_no_loss(
    llama: Path, train: Train, tmp_path: Path, classes: Path
) -> None:
    events = train(llama, task="sequence_classification", data={"train_file": str(classes)})
    assert not [e for e in events if e.kind == "warning" and "left out" in str(e.data["message"])]


@pytest.mark.parametrize(
    "settings", [{"hidden_size": "64"}, {"num_attention_heads": 7}, {"quantization_config": "x"}]
)
def test_damaged_settings_are_a_sentence(
    llama: Path, train: Train, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ModelError, match=r"can't be loaded: .+") as refused:
        train(changed(llama, tmp_path / "base", **settings))
    assert refused.value.hint
