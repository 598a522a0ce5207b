"""Trainer: the training loop of transformers with our batches, checkpoints and figures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import set_seed

from maxaillm.dev.finetune.config.schedule import DECAYING_SHARE
from maxaillm.dev.finetune.hf import distributed
from maxaillm.dev.finetune.hf.batches.collate import (
    Batch,
    BatchLayout,
    BatchOrder,
    Loader,
    Sequences,
)
from maxaillm.dev.finetune.hf.loading.memory import lacks_memory
from maxaillm.dev.finetune.hf.training.out_of_memory import MicroBatches
from maxaillm.dev.finetune.methods import TuneMethod
from maxaillm.dev.finetune.run.torchrun import process_count, rank

METHOD_STATE = "method.safetensors"
"""Of a checkpoint, what its method needs to go on where a saved adapter does not suffice."""


class StepTrainer(Trainer):  # type: ignore[misc]
    """What the trainer of every task has: our batches, checkpoints that suffice for the method,
    smaller pieces where the memory does not suffice, and the figures of a step."""

    loss_is_scaled_for_ga = True
    order: type[BatchOrder] = BatchOrder

    def __init__(
        self,
        *,
        sequences: Sequences,
        method: TuneMethod,
        micro_batches: MicroBatches,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.sequences, self.method, self.micro_batches = sequences, method, micro_batches
        self.window: list[Batch] = []
        self.reached = 0
        self.step_loss = torch.zeros((), device=self.args.device)
        self.step_tokens = 0
        self.input_seconds = 0.0
        self.grad_norm: float | None = None
        self.learning_rate = 0.0
        self.remove_callback(PrinterCallback)
        # which would wrap the model for torch's DistributedDataParallel
        self.accelerator.prepare_model = partial(
            self.accelerator.prepare_model, evaluation_mode=True
        )

    def get_train_dataloader(self) -> Loader:
        args = self.args
        layout = BatchLayout(
            args.train_batch_size, args.gradient_accumulation_steps, process_count(), rank()
        )
        order = self.order(self.sequences, layout, args.seed, self.data_collator)
        return Loader(
            self.sequences,
            order,
            self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory and torch.cuda.is_available(),
        )

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> Any:
        if self.args.lr_scheduler_type == "warmup_stable_decay":
            decaying = max(1, round(DECAYING_SHARE * num_training_steps))
            self.args.lr_scheduler_kwargs = {"num_decay_steps": decaying}
        return super().create_scheduler(num_training_steps, optimizer)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """The next step has the learning rate that the schedule says of a run of this length: the
        one in the checkpoint is that of the length then, which may have been another."""
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None or self.is_sharded:
            return
        scheduler = self.lr_scheduler
        rates = zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
        for group, (base, share) in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = base * share(scheduler.last_epoch)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], Tensor]:
        """The batches of a step, remembered until it is done, and how much they teach."""
        began = time.monotonic()
        self.window, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.input_seconds += time.monotonic() - began
        self.reached = 0
        return self.window, count

    def training_step(
        self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int = 1
    ) -> Tensor:
        """Add the gradient of a batch. Where the memory does not suffice, what the step has
        gathered so far, which may be torn, is dropped and gathered again in smaller pieces."""
        self.reached += 1
        again = [inputs]
        while (loss := self.add_gradient(model, again, num_items_in_batch)) is None:
            model.zero_grad()
            self.pop_step()
            self.micro_batches.shrink(inputs, self.model)
            again = self.window[: self.reached]
        return loss

    def add_gradient(
        self, model: nn.Module, batches: Iterable[Batch], count: Tensor | int
    ) -> Tensor | None:
        """The loss of the last piece; None where the memory does not suffice."""
        loss = torch.zeros((), device=self.args.device)
        try:
            for batch in batches:
                for piece in self.micro_batches.pieces(batch):
                    loss = super().training_step(model, piece, count)
        except (RuntimeError, MemoryError) as error:
            if self.is_sharded or not lacks_memory(error):
                raise
            return None  # by now nothing holds the frames that hold the tensors
        return loss

    @property
    def is_sharded(self) -> bool:
        """Whether DeepSpeed has the gradients: it means them over all processes and clips them."""
        return bool(self.is_deepspeed_enabled)

    def scaled(self, loss: Tensor) -> Tensor:
        """A process's share of the loss, such that all shares add up."""
        return loss * process_count() if self.is_sharded else loss

    def _clip_grad_norm(self, model: nn.Module) -> Tensor | None:
        if not self.is_sharded:
            distributed.sum_gradients(model)
        norm: Tensor | None = super()._clip_grad_norm(model)
        if self.is_sharded:
            norm = self.model_wrapped.get_global_grad_norm()
        self.grad_norm = None if norm is None else float(norm)
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])
        return norm

    def train_or_resume(self, checkpoint: Path | None, steps: int) -> None:
        """Train from the start or from `checkpoint`; nothing is left to do after the last step."""
        if not self.is_sharded:
            distributed.begin_alike(self.model)
        set_seed(self.args.seed + rank())  # else all processes would drop the same units
        if checkpoint is None:
            self.train()
            return
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        if state.global_step < steps:
            self.train(resume_from_checkpoint=str(checkpoint))
        else:
            self.state = state
            self._load_from_checkpoint(str(checkpoint))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        state = self.method.checkpoint_state(self.model)
        if state and rank() == 0:
            staged = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            save_file(dict(state), staged / METHOD_STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        file = Path(resume_from_checkpoint) / METHOD_STATE
        if file.exists():
            self.method.restore_state(self.model, load_file(file))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def pop_step(self) -> tuple[float, int]:
        """Mean loss of the learned tokens and number of tokens since the last call, of this
        process's share."""
        taken = float(self.step_loss), self.step_tokens
        self.step_loss.zero_()
        self.step_tokens = 0
        return taken

    def pop_input_seconds(self) -> float:
        """How long was waited for batches since the last call."""
        waited, self.input_seconds = self.input_seconds, 0.0
        return waited

    def pop_metrics(self) -> dict[str, float]:
        """Further figures of the steps since the last call, by name; most tasks have none."""
        return {}
