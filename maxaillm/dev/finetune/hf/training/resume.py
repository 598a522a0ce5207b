"""Resuming from a checkpoint: what it must have in common with the run that goes on from it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import peft
import torch
import transformers
from pydantic import JsonValue

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import CheckpointError
from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import Checkpoint

MAY_CHANGE = {
    "num_train_epochs", "max_steps", "logging_steps", "eval_steps", "save_steps",
    "early_stopping_patience", "stop_when_diverged", "save_total_limit",
    "ddp_find_unused_parameters",
}  # fmt: skip
"""How long a run goes on and what it tells may change; what each step does may not."""


def facts_of(config: RunConfig, rows: Rows, model_folder: Path) -> dict[str, JsonValue]:
    """Names for all that decides what the next step computes."""
    options = {
        "training": config.training.model_dump(mode="json", exclude=MAY_CHANGE),
        "tuning": config.tuning.model_dump(mode="json"),
        "model": config.model.model_dump(mode="json", exclude={"name"}),
        "packing": config.data.packing,
        "task": config.task,
    }
    return {
        "precision": config.model.precision,
        "options": hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest(),
        "data": rows.digest(),
        "base model": model_digest(model_folder),
        "versions": {
            library.__name__: library.__version__ for library in (torch, transformers, peft)
        },
    }


def model_digest(folder: Path) -> str:
    """A name for the weights by their headers and sizes; hashing 14 GB would take minutes."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(file.read(int.from_bytes(file.read(8), "little")))
        digest.update(str(path.stat().st_size).encode())
    return digest.hexdigest()


def check_belongs(checkpoint: Checkpoint, facts: dict[str, JsonValue], attempt: Attempt) -> None:
    """Raises CheckpointError where going on would not be the same run."""
    checkpoint.verify()
    names = ("options", "data", "base model")
    changed = [name for name in names if checkpoint.facts.get(name) != facts[name]]
    if changed:
        raise CheckpointError(
            f"{checkpoint.folder.name} belongs to another run: {', '.join(changed)} differ.",
            "Resume with what the run was started with, or start anew.",
        )
    if checkpoint.facts.get("versions") != facts["versions"]:
        attempt.warn(
            "The libraries changed since the checkpoint; the curve may differ in its last digits.",
            f"The checkpoint was made with {checkpoint.facts.get('versions')}.",
        )
