"""An estimate agrees with the run that follows."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from tests import tiny
from tests.engine.conftest import Train
from tests.engine.methods.matrix import rows_for
from tests.families import FAMILIES


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_parameters_and_steps_are_those_of_the_run(
    llama: Path, chats: Path, train: Train, method: str, packing: bool
) -> None:
    sections: dict[str, Any] = {
        "tuning": {"name": method},
        "training": {"max_steps": None, "num_train_epochs": 2},
        "data": {"packing": packing, "max_length": 128},
    }
    expected = estimate(RunConfig.parse(tiny.run_config(llama, chats, **sections)))
    events = train(llama, **sections)
    facts = next(event.data for event in events if event.data.get("name") == "train")
    log = [event.data for event in events if event.kind == "log"][-1]
    assert expected.trainable_parameters == facts["trainable_parameters"]
    total = int(str(facts["total_parameters"]))
    adapter = int(str(facts["trainable_parameters"])) if method == "lora" else 0
    assert expected.total_parameters == total - adapter
    assert expected.steps == pytest.approx(int(str(facts["total_steps"])), abs=3)
    assert expected.tokens == pytest.approx(int(str(log["tokens"])), rel=0.35)


@pytest.mark.parametrize(
    ("name", "value", "is_refused"),
    [
        ("num_hidden_layers", 0, True), ("num_hidden_layers", -1, True),
        ("num_hidden_layers", True, True), ("hidden_size", None, True),
        ("vocab_size", 10**400, True), ("num_attention_heads", "8", True),
        ("intermediate_size", [64, 64], False), ("max_position_embeddings", "many", False),
        ("pad_token_id", [1], False),
    ],
)  # fmt: skip
def test_sizes_that_no_model_has_are_named(
    llama: Path, chats: Path, tmp_path: Path, name: str, value: Any, is_refused: bool
) -> None:
    base = tmp_path / "base"
    copytree(llama, base)
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(settings | {name: value}))
    config = RunConfig.parse(tiny.run_config(base, chats))
    if not is_refused:
        assert estimate(config).steps > 0
        return
    with pytest.raises(ModelError, match=name) as refused:
        estimate(config)
    assert refused.value.hint


def test_memory_has_its_parts_and_a_smaller_batch_needs_less(
    llama: Path, chats: Path, tmp_path: Path
) -> None:
    def memory(**training: Any) -> Any:
        return estimate(RunConfig.parse(tiny.run_config(llama, many, training=training)))

    many = tiny.write_lines(
        tmp_path / "many.jsonl", [json.loads(line) for line in chats.open()] * 40
    )
    large, small = memory(per_device_train_batch_size=64), memory(per_device_train_batch_size=1)
    assert set(large.as_json()["memory_bytes"]) == {
        "weights", "optimizer", "gradients", "activations", "total",
    }  # fmt: skip
    assert large.memory_bytes.activations > small.memory_bytes.activations
    assert small.fits == (small.memory_bytes.total <= small.available_bytes)
    assert small.disk_bytes > 0


def test_a_missing_model_is_told(chats: Path) -> None:
    config = RunConfig.parse(tiny.run_config(Path("/nowhere/model"), chats))
    with pytest.raises(ModelError, match="There is no folder"):
        estimate(config)


HEADS = [
    (task, family)
    for task, families in {
        "sequence_classification": ("bert", "roberta", "distilbert", "gpt2", "llama", "bart"),
        "token_classification": ("bert", "roberta", "distilbert", "gpt2"),
        "masked_lm": ("bert", "roberta", "distilbert"),
        "seq2seq_lm": ("t5", "bart"),
    }.items()
    for family in families
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.mark.parametrize(("task", "family"), HEADS)
def test_a_new_head_is_counted(shelf: Path, tmp_path: Path, task: str, family: str) -> None:
    base = shelf / family
    if not base.exists():
        FAMILIES[family](base)
    file = tiny.write_lines(tmp_path / "rows.jsonl", rows_for(task))
    config = RunConfig.parse(tiny.run_config(base, file, task=task))
    with Attempt(tmp_path / "run") as attempt:
        run = MaxHuggingFaceFineTuning(config, attempt)
        run.prepare_data()
        model, _ = run.configure_model()
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    trained = sum(count for count, is_trained in counts if is_trained)
    expected = estimate(config)
    assert expected.trainable_parameters == trained
    assert expected.total_parameters == sum(count for count, _ in counts) - trained
