"""Traps of the libraries, each held off by a test of its name; P1 to P3 are in test_loss.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.loading.precision import choose_precision
from maxaillm.dev.finetune.hf.training.arguments import training_arguments
from maxaillm.dev.finetune.methods.lora import LoRA
from maxaillm.dev.finetune.processes.resources import usable_cores
from tests import tiny
from tests.engine.conftest import Train, losses


def test_p4_processes_that_are_not_told_how_to_meet_are_refused(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(FineTuneError, match="not told how they meet"):
        train(llama)


def test_p5_gradient_checkpointing_changes_no_loss(llama: Path, train: Train) -> None:
    tuning = {"name": "lora", "lora_dropout": 0}
    plain = train(llama, "plain", tuning=tuning)
    spared = train(llama, "spared", tuning=tuning, model={"gradient_checkpointing": True})
    assert losses(spared) == pytest.approx(losses(plain), rel=1e-5)


def test_p6_methods_are_called_after_each_step_while_gradients_exist(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []

    def look(self: LoRA, model: Any, step: int) -> None:
        trained = [p for p in model.parameters() if p.requires_grad]
        seen.append((step, all(p.grad is not None for p in trained)))

    monkeypatch.setattr(LoRA, "after_step", look)
    train(llama, training={"max_steps": 3})
    assert seen == [(1, True), (2, True), (3, True)]


def test_p7_threads_follow_the_environment_else_the_affinity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        loading.set_threads()
        assert torch.get_num_threads() == 1
        monkeypatch.delenv("OMP_NUM_THREADS")
        loading.set_threads()
        assert torch.get_num_threads() == usable_cores()
    finally:
        torch.set_num_threads(before)


def test_p8_a_cpu_run_has_neither_bf16_nor_checkpointing(llama: Path, tmp_path: Path) -> None:
    config = RunConfig.parse(tiny.run_config(llama, tmp_path))
    arguments = training_arguments(config, tmp_path, "fp32", on_cpu=True)
    assert not (arguments.bf16 or arguments.fp16 or arguments.gradient_checkpointing)
    assert arguments.report_to == []
    assert choose_precision("fp16", torch.device("cpu")) == "fp32"


@pytest.mark.parametrize(
    ("name", "expected"), [("./folder", "1"), ("/a/b", "1"), ("starter/chat", "1"), ("a/b", None)]
)
def test_p9_only_a_hub_name_may_use_the_network(
    name: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maxaillm.dev.finetune.__main__ import stay_off_the_network

    for variable in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    stay_off_the_network(name)
    assert os.environ.get("HF_HUB_OFFLINE") == expected
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_command_and_estimate_import_nothing_heavy() -> None:
    program = (
        "import sys, maxaillm.dev.finetune.__main__, maxaillm.dev.finetune.estimate; "
        "print([m for m in ('torch', 'transformers', 'peft', 'datasets') if m in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_same_seed_same_run_other_seed_other_run(llama: Path, train: Train) -> None:
    first = losses(train(llama, "a", training={"seed": 1}))
    assert losses(train(llama, "b", training={"seed": 1})) == first
    assert losses(train(llama, "c", training={"seed": 2})) != first


def test_t15_t16_every_line_of_the_journal_is_strict_json(
    llama: Path, train: Train, tmp_path: Path
) -> None:
    train(llama, training={"learning_rate": 1.0, "max_steps": 2, "max_grad_norm": 1000})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)
