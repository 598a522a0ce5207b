"""One batch or four make the same step, by every loss in each kind of task that it serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification

from maxaillm.dev.finetune.losses import TargetLoss, losses
from tests import tiny
from tests.engine.conftest import Train
from tests.engine.conftest import losses as logged

COUNT = 16
SENTENCES = [f"{tiny.WORDS[n % 12]}{' very' * (n % 6)}" for n in range(COUNT)]
ROWS: dict[str, list[dict[str, Any]]] = {
    "class": [{"text": text, "label": "ab"[n % 3 == 0]} for n, text in enumerate(SENTENCES)],
    "classes": [{"text": text, "labels": ["x", "y"][: n % 3]} for n, text in enumerate(SENTENCES)],
    "number": [{"text": text, "score": n / 7} for n, text in enumerate(SENTENCES)],
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers without dropout, and a head of its own for each number of classes."""
    folder = tmp_path_factory.mktemp("models") / "bert"
    settings = BertConfig(
        vocab_size=tiny.SIZE,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )
    torch.manual_seed(0)
    BertForSequenceClassification(settings).bert.save_pretrained(folder)
    return tiny.save_tokenizer(folder)


def cases() -> Iterator[Any]:
    for name, cls in losses.items():
        if issubclass(cls, TargetLoss):
            tasks = {"causal_lm", "sequence_classification"} & cls.tasks
            for task in sorted(tasks):
                yield pytest.param(name, task, id=f"{name}-{task}")


@pytest.mark.parametrize(("name", "task"), cases())
def test_one_batch_or_four_make_the_same_step(
    name: str, task: str, request: Any, train: Train, tmp_path: Path
) -> None:
    """Rows of different lengths, so that a mean of means would be another figure."""
    is_text = task == "causal_lm"
    cls = losses[name]
    assert issubclass(cls, TargetLoss)
    kind = tiny.conversations(COUNT) if is_text else ROWS[cls.targets]
    file = tiny.write_lines(tmp_path / "rows.jsonl", kind)
    model = request.getfixturevalue("llama" if is_text else "bert")
    steps = {"max_steps": 2, "loss": {"name": name}, "optim": "sgd", "learning_rate": 0.1}
    shared: dict[str, Any] = {
        "task": task,
        "tuning": {"name": "full"},
        "data": {"train_file": str(file), "validation_share": 0, "packing": False},
    }
    whole = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, **steps}
    parts = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, **steps}
    first = logged(train(model, "whole", training=whole, **shared))
    second = logged(train(model, "parts", training=parts, **shared))
    assert len(first) == 2
    assert second == pytest.approx(first, rel=1e-5)
    assert first[1] != pytest.approx(first[2], rel=1e-5), "the step moved the model"
    ones, others = (
        load_file(tmp_path / at / "model/model.safetensors") for at in ("whole", "parts")
    )
    for key, weight in ones.items():
        torch.testing.assert_close(weight, others[key], rtol=1e-6, atol=1e-6)
