"""A model folder whose settings and weights don't belong together: nothing is lost or made up."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, GPTNeoConfig, GPTNeoForCausalLM

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.loading import shell
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.conftest import Train


def changed(llama: Path, folder: Path, **settings: Any) -> Path:
    copytree(llama, folder)
    config = json.loads((folder / "config.json").read_text())
    layers = settings.pop("more_layers", 0)
    if layers:
        settings["num_hidden_layers"] = config["num_hidden_layers"] + layers
    config |= settings
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


@pytest.mark.parametrize(
    "settings",
    [
        {"vocab_size": 10**12},
        {"vocab_size": 10**18},
        {"vocab_size": 10**8, "hidden_size": 10**8},
        {"intermediate_size": 10**9},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 10**400},
        {"num_labels": 10**10},
    ],
    ids=str,
)
def test_sizes_that_no_weights_have_are_said_before_memory_is_asked_for(
    llama: Path, train: Train, tmp_path: Path, settings: dict[str, Any]
) -> None:
    base = changed(llama, tmp_path / "base", **settings)
    before = peak_rss_bytes()
    with pytest.raises(ModelError) as opened:
        MaxHuggingFaceLLM(base)
    with pytest.raises(ModelError) as tuned:
        train(base)
    assert peak_rss_bytes() - before < 2**30
    assert "download the model again" in f"{opened.value.hint} {tuned.value.hint}".lower()


def test_tables_beside_the_weights_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GPT-Neo keeps one of each position by each: 256 kB of 512 positions."""
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "max_position_embeddings": 512}
    settings = GPTNeoConfig(
        vocab_size=300, attention_types=[[["global", "local"], 1]], window_size=8, **sizes
    )
    GPTNeoForCausalLM(settings).save_pretrained(tmp_path)
    shell.require_sizes_of_files(tmp_path, AutoModelForCausalLM)
    monkeypatch.setattr(shell, "memory_limit_bytes", lambda: 300_000)
    with pytest.raises(ModelError, match="beside the weights"):
        shell.require_sizes_of_files(tmp_path, AutoModelForCausalLM)
