"""Preference trainers of TRL (DPO, KTO, ORPO): they give the loss, the rest is as in every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import datasets
import numpy as np
import torch
from torch import Tensor, nn

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.hf import distributed
from maxaillm.dev.finetune.hf.batches.collate import Batch, BatchOrder, Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.hf.loading.memory import out_of_memory_said
from maxaillm.dev.finetune.hf.training.arguments import training_arguments
from maxaillm.dev.finetune.hf.training.out_of_memory import MicroBatches
from maxaillm.dev.finetune.hf.training.tasks.preference import (
    HeldOut,
    PreferenceTask,
    answer_losses,
)
from maxaillm.dev.finetune.hf.training.tasks.preference.batches import (
    SHAPES,
    FixedOrder,
    PreferenceCollator,
)
from maxaillm.dev.finetune.hf.training.tasks.preference.rows import BAD, GOOD
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.hf.training.trainers import Setup
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer
from maxaillm.dev.finetune.losses import PreferenceLoss
from maxaillm.dev.finetune.methods.shared.peft import refusal_said

EXTRAS = {
    "rewards/accuracies": "reward_accuracy",
    "rewards/margins": "reward_margin",
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "kl": "kl",
}
"""Of what TRL measures by the way: its name and ours."""


class PrecomputedReference(nn.Module):
    """Reference model without weights, where TRL wants one. What the untuned model makes of each
    row is computed before the first step and comes with the batches: no second model is kept."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config


class PreferenceTrainer(StepTrainer):
    """Mixin before a trainer of TRL's. TRL's work on data is left out: rows are tokenised as for
    every task. Nothing is written or sent on the side."""

    loss: PreferenceLoss
    targets_in_step: Tensor | float = 1.0
    token_weight: Tensor | float = 1.0
    """Of what is a mean over tokens, beside what is a mean over rows."""

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def tokenize_row(self, row: Any) -> Any:
        return row

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The saved model has a card of ours."""

    def _send_telemetry(self) -> None:
        """Nobody is told."""

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the Trainer's own signature
        num_items_in_batch: Tensor | int = 1,
    ) -> Tensor:
        """TRL gives the mean over a batch: it counts by its share of the rows of the step."""
        self.step_tokens += inputs["tokens"]
        rows = len(inputs["rows"])
        if inputs.pop("is_dummy", False):
            rows = 0
            if "reference" in inputs:
                inputs["reference"] = inputs["reference"].nan_to_num()
        share = rows / num_items_in_batch
        if rows:
            self.token_weight = targets_of(inputs) / self.targets_in_step / share
        loss: Tensor = super().compute_loss(model, self.shaped(inputs)) * share
        self.token_weight = 1.0
        self.step_loss += loss.detach()
        return self.scaled(loss)

    def concatenated_forward(self, model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
        """Of TRL's ORPO: the fifth is a mean over tokens, which counts by its share of those."""
        found = super().concatenated_forward(model, batch)
        return *found[:4], found[4] * self.token_weight, *found[5:]

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        real = [batch for batch in batch_samples if "is_dummy" not in batch]
        count = [sum(len(batch["rows"]) for batch in real), sum(map(targets_of, real))]
        counted = distributed.total(torch.tensor(count, device=device))
        self.targets_in_step = counted[1]
        return counted[0]

    def shaped(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return SHAPES[self.loss.shape](batch)

    def reference_of(self, batch: Mapping[str, Any]) -> Tensor:
        """What the model makes of a batch now, as `PreferenceCollator.reference` has it."""
        inputs = self._prepare_inputs(self.shaped(batch))
        found = list(self.compute_ref_log_probs(self.model, inputs))
        if self.loss.shape == "stacked":
            return torch.stack(found, 1).unsqueeze(-1).cpu()
        rows, answers = batch["good"].shape
        return torch.stack(found, 1).reshape(answers, rows, -1).transpose(0, 1).cpu()

    def mean_loss(self, batch: Mapping[str, Any]) -> float:
        """Of a batch of held-out rows; the figures of training stay as they are."""
        with self.metrics_kept(), self.accelerator.autocast():
            inputs = self._prepare_inputs(self.shaped(batch))
            return float(super().compute_loss(self.model, inputs))

    @property
    def trl_metrics(self) -> dict[str, list[float]]:
        """What TRL has measured by the way since the last call of `pop_metrics`."""
        name = "_metrics" if hasattr(self, "_metrics") else "_stored_metrics"
        found: dict[str, list[float]] = getattr(self, name)["train"]
        return found

    @contextmanager
    def metrics_kept(self) -> Iterator[None]:
        before = {name: list(values) for name, values in self.trl_metrics.items()}
        yield
        self.trl_metrics.clear()
        self.trl_metrics.update(before)

    def pop_metrics(self) -> dict[str, float]:
        taken = {
            ours: sum(self.trl_metrics[theirs]) / len(self.trl_metrics[theirs])
            for theirs, ours in EXTRAS.items()
            if self.trl_metrics.get(theirs)
        }
        self.trl_metrics.clear()
        return taken


def targets_of(batch: Mapping[str, Any]) -> int:
    """Tokens of the better conversations that have one before them."""
    used = batch["attention_mask"][:, 0]
    return int(used.sum()) - len(used)


def make_trainer(task: PreferenceTask, setup: Setup) -> PreferenceTrainer:
    """A trainer of TRL's. What the model makes of the rows as it is now is kept: a loss that
    measures how far the model moves then needs no second model beside it."""
    config, loss = task.config, task.loss
    collator = task.collator(setup.train.rows, setup.tokenizer)
    loss.check_balance(*counts_in(setup.train.rows), setup.attempt.warn)
    trainer = make_trl_trainer(loss, config, setup, collator)
    untuned = config.tuning.untuned(setup.model)
    with untuned, measuring(setup.model), out_of_memory_said(config):
        if loss.has_reference:
            seen = setup.steps * config.training.gradient_accumulation_steps
            batches = islice(trainer.get_train_dataloader(), seen)
            compute_reference(trainer, collator, batches, setup)
        if setup.held_out is not None:
            task.held_out = observe_untuned(task, trainer, setup, setup.held_out)
    return trainer


def observe_untuned(
    task: PreferenceTask, trainer: PreferenceTrainer, setup: Setup, held_out: Sequences
) -> HeldOut:
    """What the model makes of the held-out rows before the first step."""
    size = task.config.training.per_device_train_batch_size
    collator = task.collator(held_out.rows, setup.tokenizer)
    if task.loss.has_reference:
        compute_reference(trainer, collator, eval_batches(held_out, collator, size), setup)
    at_first = answer_losses(setup.model, held_out, collator, size)
    return HeldOut(collator, at_first, trainer.mean_loss)


def counts_in(rows: Rows) -> tuple[int, int]:
    """How many answers are as they should be, and how many are not."""
    marks = rows.labels.values
    return int((marks == GOOD).sum()), int((marks == BAD).sum())


def compute_reference(
    trainer: PreferenceTrainer,
    collator: PreferenceCollator,
    batches: Iterator[Mapping[str, Tensor]],
    setup: Setup,
) -> None:
    """Let the collator know what the model makes of the rows in `batches`; of others it is NaN,
    so that nobody takes it for a figure."""
    for batch in batches:
        setup.attempt.check_stop()
        if "is_dummy" in batch:
            continue
        found = trainer.reference_of(batch).float().numpy()
        if collator.reference is None:
            shape = (len(collator.rows), *found.shape[1:])
            collator.reference = np.full(shape, np.nan, np.float32)
        collator.reference[batch["rows"].numpy()] = found


def make_trl_trainer(
    loss: PreferenceLoss, config: RunConfig, setup: Setup, collator: PreferenceCollator
) -> PreferenceTrainer:
    """A trainer of the kind that the loss names."""
    arguments, trainer = loss.trl()
    datasets.disable_progress_bars()
    own = {**loss.arguments, "max_length": max(setup.train.lengths)}  # all is cut already
    if loss.has_reference:
        own["precompute_ref_log_probs"] = True
    made = type(
        f"Our{trainer.__name__}",
        (PreferenceTrainer, trainer),
        {"loss": loss, "order": FixedOrder if loss.has_reference else BatchOrder},
    )
    reference = (
        {"ref_model": PrecomputedReference(setup.model.config)} if loss.has_reference else {}
    )
    with refusal_said(loss.label):
        made_one: PreferenceTrainer = made(
            sequences=setup.train,
            method=config.tuning,
            micro_batches=MicroBatches(config, setup.attempt.warn),
            model=setup.model,
            processing_class=setup.tokenizer,
            data_collator=collator,
            train_dataset=datasets.Dataset.from_dict({"row": [0]}),  # ours are in `sequences`
            args=training_arguments(
                config,
                setup.folder,
                setup.precision,
                on_cpu=setup.model.device.type == "cpu",
                made_of=arguments,
                **own,
            ),
            **reference,
        )
    made_one.processing_class = None  # or it would overrule the model's own special tokens
    return made_one
