"""Trainers: what makes the steps of a run, one module for each way to train."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.hf.batches.collate import Sequences
from maxaillm.dev.finetune.hf.training.tasks import ModelTask
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer
from maxaillm.dev.finetune.run.attempt import Attempt


class Setup(NamedTuple):
    """What a trainer is made of; the model lies on its device and is what the method made it."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    train: Sequences
    held_out: Sequences | None
    steps: int
    folder: Path
    """Where checkpoints are staged."""
    precision: str
    attempt: Attempt


def make_trainer(task: ModelTask, setup: Setup) -> StepTrainer:
    """The trainer of the kind that the task names, ready for its first step."""
    module = import_module(f"{__name__}.{task.trainer}")
    trainer: StepTrainer = module.make_trainer(task, setup)
    return trainer
