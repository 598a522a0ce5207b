"""Trainer of a task's own objective: one loss, summed over what is learned in a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from maxaillm.dev.finetune.hf import distributed
from maxaillm.dev.finetune.hf.batches.collate import Sequences
from maxaillm.dev.finetune.hf.batches.rows import IGNORED
from maxaillm.dev.finetune.hf.loading.precision import DTYPES
from maxaillm.dev.finetune.hf.training.arguments import training_arguments
from maxaillm.dev.finetune.hf.training.out_of_memory import MicroBatches
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, Objective
from maxaillm.dev.finetune.hf.training.trainers import Setup
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer


class TaskTrainer(StepTrainer):
    """Sums the loss over what is learned and divides by how much that is in the whole step."""

    def __init__(self, *, objective: Objective, sequences: Sequences, **options: Any) -> None:
        super().__init__(sequences=sequences, train_dataset=sequences, **options)
        self.objective = objective

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the Trainer's own signature
        num_items_in_batch: Tensor | int = 1,
    ) -> Tensor:
        self.step_tokens += inputs.pop("tokens")
        inputs.pop("rows")
        counts = not inputs.pop("is_dummy", False)
        labels = inputs.pop("labels")
        loss = self.objective(model, inputs, labels) * int(counts) / num_items_in_batch
        self.step_loss += loss.detach()
        return self.scaled(loss)

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, Any]], device: torch.device
    ) -> Tensor:
        """What is learned in all batches of a step; models count it in ways that differ."""
        own = [batch for batch in batch_samples if "is_dummy" not in batch]
        counts = [(batch["labels"] != IGNORED).sum() for batch in own]
        count = sum(counts, torch.zeros((), dtype=torch.int64))
        return distributed.total(count.to(device))


def make_trainer(task: ModelTask, setup: Setup) -> TaskTrainer:
    """A trainer that minimises the task's own objective."""
    rows, config, device = setup.train.rows, task.config, setup.model.device
    loss = task.training_loss(rows)
    return TaskTrainer(
        objective=task.objective(setup.model, loss, DTYPES[setup.precision]),
        sequences=setup.train,
        method=config.tuning,
        micro_batches=MicroBatches(config, setup.attempt.warn),
        model=setup.model,
        data_collator=task.collator(rows, setup.tokenizer, packed=setup.train.packed),
        args=training_arguments(config, setup.folder, setup.precision, on_cpu=device.type == "cpu"),
    )
