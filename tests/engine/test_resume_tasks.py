"""Each task goes on bit for bit in the middle of an epoch, also after a kill within a save."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from maxaillm.dev.finetune.attempt import Attempt
from maxaillm.dev.finetune.checkpoints import Checkpoint, newest_verified
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.events import Event, RunFolder, read_journal
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from tests import tiny
from tests.engine.conftest import Train, losses
from tests.engine.matrix import HOMES, Workshop

STEPS: dict[str, Any] = {
    "max_steps": 10,
    "save_steps": 5,
    "save_total_limit": 9,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 2,
}
"""Eight rows are four steps an epoch, so step 5 lies within the second."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("resume"))


def run(config: RunConfig, folder: Path, resume: Checkpoint | None = None) -> list[Event]:
    with Attempt(folder) as attempt:
        MaxHuggingFaceFineTuning(config, attempt).run(resume)
    return list(read_journal(folder / "events.jsonl"))


@pytest.mark.parametrize(
    ("task", "data"),
    [
        *((task, {}) for task in HOMES),
        ("causal_lm", {"packing": False, "dataloader_num_workers": 2}),
        ("masked_lm", {"dataloader_num_workers": 2}),
    ],
)
def test_resumes_bit_for_bit(
    workshop: Workshop, task: str, data: dict[str, Any], tmp_path: Path
) -> None:
    """With dropout, masks drawn by chance, and data workers."""
    sections: dict[str, Any] = {
        "task": task,
        "data": {"validation_share": 0, "max_length": 48, **data},
        "training": STEPS,
        "tuning": {"name": "lora", "lora_dropout": 0.2},
    }
    base = workshop.base(HOMES[task])
    config = RunConfig.parse(tiny.run_config(base, workshop.data(task), **sections))
    whole = run(config, tmp_path / "whole")
    middle = Checkpoint.read(tmp_path / "whole" / "checkpoints" / "step-0000005")
    resumed = run(config, tmp_path / "resumed", middle)

    expected = {step: loss for step, loss in losses(whole).items() if step > 5}
    assert losses(resumed) == expected
    assert len(expected) == 5
    adapter = Path("model") / "adapter_model.safetensors"
    saved = [(tmp_path / name / adapter).read_bytes() for name in ("whole", "resumed")]
    assert saved[0] == saved[1]


KILLED = """
import os, signal, sys
from maxaillm.dev.finetune import __main__, checkpoints
from maxaillm.dev.finetune.hf import trainer

calls = 0

def deadly(real):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

owner, name = {"optimizer": (trainer.StepTrainer, "_save_optimizer_and_scheduler"),
               "manifest": (checkpoints, "write_atomically")}[sys.argv.pop(1)]
setattr(owner, name, deadly(getattr(owner, name)))
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.faults
@pytest.mark.parametrize("within", ["optimizer", "manifest"])
def test_a_kill_within_a_save_costs_the_steps_since_the_last(
    llama: Path, chats: Path, tmp_path: Path, within: str, train: Train
) -> None:
    sections: dict[str, Any] = {"training": STEPS, "tuning": {"name": "full"}}
    unbroken = train(llama, "unbroken", **sections)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats, **sections)))
    folder = RunFolder(tmp_path / "killed")
    command = [sys.executable, "-c", KILLED, within, "train", str(file), "--folder"]
    killed = subprocess.run(
        [*command, str(folder.root), "--json"],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},  # as `train` has
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    checkpoint, damaged = newest_verified([folder.checkpoints])
    assert checkpoint is not None
    assert checkpoint.step == 5
    assert not damaged
    resumed = train(llama, "resumed", checkpoint, **sections)
    assert losses(resumed) == {step: losses(unbroken)[step] for step in range(6, 11)}
