"""The system itself refuses memory to a real process."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import psutil
import pytest

from maxaillm.dev.finetune.config.files import read_config
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests import tiny
from tests.engine.conftest import losses
from tests.engine.hf.training.test_out_of_memory import warnings
from tests.forked import Forked


def train_within(config: Path, folder: Path, megabytes: int) -> None:
    """Train with so much memory besides what is taken as the training begins."""

    def limit(event: Event) -> None:
        if event.kind == "stage" and event.data["name"] == "train":
            most = psutil.Process().memory_info().vms + megabytes * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    with Attempt(folder, limit) as attempt:
        MaxHuggingFaceFineTuning(read_config(config, []), attempt).run()


def test_a_refusal_of_the_system_is_survived(llama: Path, tmp_path: Path) -> None:
    """The system itself refuses the memory that a whole batch needs."""
    rows = tiny.write_lines(tmp_path / "rows.jsonl", [{"text": "red " * 127}] * 200)
    training = {"max_steps": 2, "per_device_train_batch_size": 32, "learning_rate": 1e-3}
    config = tiny.run_config(
        llama, rows, training=training, data={"max_length": 512, "validation_share": 0}
    )
    file = tmp_path / "run.json"
    file.write_text(json.dumps(config))
    curves = {}
    for name, megabytes in {"roomy": 100_000, "cramped": 130}.items():
        one_thread = {"OMP_NUM_THREADS": "1"}
        process = Forked(train_within, file, tmp_path / name, megabytes, env=one_thread)
        assert process.end() == 0
        curves[name] = list(read_journal(tmp_path / name / "events.jsonl"))
    assert any("at once" in message for message in warnings(curves["cramped"]))
    assert curves["cramped"][-1].kind == "succeeded"
    roomy, cramped = losses(curves["roomy"]), losses(curves["cramped"])
    assert cramped[1] == pytest.approx(roomy[1], abs=1e-5)
    # Sums of 16 thousand tokens in another order differ in their last bits, and Adam's first step
    # makes a whole step of a gradient that is nothing but those bits: 2 % of what the step gained.
    assert cramped[2] == pytest.approx(roomy[2], abs=0.02 * (roomy[1] - roomy[2]))
