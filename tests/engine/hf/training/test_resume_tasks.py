"""Each task goes on bit for bit in the middle of an epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests import tiny
from tests.engine.conftest import losses
from tests.engine.methods.matrix import HOMES, Workshop

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
