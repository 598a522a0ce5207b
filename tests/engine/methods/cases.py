"""Short runs of every tuning method, each made once and looked at by many tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from tests import tiny

STEPS = {"max_steps": 4, "save_steps": 2, "per_device_train_batch_size": 2}


class Tuned(NamedTuple):
    """What a run left, and what it changed."""

    config: RunConfig
    folder: Path
    logits: Tensor
    losses: dict[int, float]
    trained: set[str]
    changed: set[str]
    trainable_parameters: int

    @property
    def model(self) -> Path:
        return self.folder / "model"


Tune = Callable[..., Tuned]


def tuning_of(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, **options}


def tune(
    base: Path, rows: Path, folder: Path, resume: Path | None = None, **sections: Any
) -> Tuned:
    """Train as the specification does, step by step."""
    sections = {"training": STEPS, "data": {"validation_share": 0}, **sections}
    config = RunConfig.parse(tiny.run_config(base, rows, **sections))
    losses: dict[int, float] = {}
    with Attempt(folder) as attempt:
        tuner = MaxHuggingFaceFineTuning(config, attempt)
        train, held_out = tuner.prepare_data()
        model, tokenizer = tuner.configure_model()
        start = {name: p.detach().clone() for name, p in model.named_parameters()}
        checkpoint = Checkpoint.read(resume) if resume else None
        trainer = tuner.train(model, tokenizer, train, held_out, checkpoint)
        end = dict(model.named_parameters())
        trained = {name for name, p in end.items() if p.requires_grad}
        changed = {name for name, value in start.items() if not value.equal(end[name])}
        count = sum(end[name].numel() for name in trained)
        tuner.save_model(trainer)
        logits = logits_of(model)
    for event in events_of(folder):
        if event.kind == "log":
            losses[event.step or 0] = float(str(event.data["loss"]))
    return Tuned(config, folder, logits, losses, trained, changed, count)


def events_of(folder: Path) -> list[Any]:
    from maxaillm.dev.finetune.run.events import read_journal

    return list(read_journal(folder / "events.jsonl"))


@torch.no_grad()
def logits_of(model: Any) -> Tensor:
    """Of one fixed row, after virtual tokens."""
    was_training = model.training
    model.eval()
    ids = torch.arange(20, 40)[None]
    logits: Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    model.train(was_training)
    return logits[:, -ids.shape[1] :].clone()
