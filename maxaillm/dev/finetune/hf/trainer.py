"""Hugging Face's Trainer with our batches and our loss; the loop itself is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import set_seed

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.hf.collate import Batch, BatchOrder, Collator, Loader, Sequences
from maxaillm.dev.finetune.hf.memory import lacks_memory
from maxaillm.dev.finetune.hf.out_of_memory import CHECKPOINTING, MicroBatches
from maxaillm.dev.finetune.hf.rows import IGNORED
from maxaillm.dev.finetune.hf.tasks import Objective
from maxaillm.dev.finetune.methods import TuneMethod

METHOD_STATE = "method.safetensors"
"""Of a checkpoint, what its method needs to go on where a saved adapter does not suffice."""


class TaskTrainer(Trainer):  # type: ignore[misc]
    """Sums the loss over what is learned and divides by how much that is in the whole step."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        objective: Objective,
        sequences: Sequences,
        method: TuneMethod,
        micro_batches: MicroBatches,
        **options: Any,
    ) -> None:
        super().__init__(train_dataset=sequences, **options)
        self.objective, self.sequences, self.method = objective, sequences, method
        self.micro_batches = micro_batches
        self.window: list[Batch] = []
        self.reached = 0
        self.step_loss = torch.zeros((), device=self.args.device)
        self.step_tokens = 0
        self.grad_norm: float | None = None
        self.learning_rate = 0.0
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> Loader:
        order = BatchOrder(self.sequences, self.args.train_batch_size, self.args.seed)
        return Loader(self.sequences, order, self.data_collator)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], Tensor]:
        """The batches of a step, remembered until it is done, and how much they teach."""
        self.window, count = super().get_batch_samples(epoch_iterator, num_batches, device)
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
            self.take_step()
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
            if not lacks_memory(error):
                raise
            return None  # by now nothing holds the frames that hold the tensors
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the Trainer's own signature
        num_items_in_batch: Tensor | int = 1,
    ) -> Tensor:
        self.step_tokens += inputs.pop("tokens")
        inputs.pop("rows")
        labels = inputs.pop("labels")
        loss = self.objective(model, inputs, labels) / num_items_in_batch
        self.step_loss += loss.detach()
        return loss

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, Any]], device: torch.device
    ) -> Tensor:
        """What is learned in all batches of a step; models count it in ways that differ."""
        counts = [(batch["labels"] != IGNORED).sum() for batch in batch_samples]
        return torch.stack(counts).sum().to(device)

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        norm: Tensor = super()._clip_grad_norm(model)
        self.grad_norm = float(norm)
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])
        return norm

    def go_on(self, checkpoint: Path | None, steps: int) -> None:
        """Train from the start or from `checkpoint`; nothing is left to do after the last step."""
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
        if state:
            staged = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            save_file(dict(state), staged / METHOD_STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        file = Path(resume_from_checkpoint) / METHOD_STATE
        if file.exists():
            self.method.restore_state(self.model, load_file(file))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def take_step(self) -> tuple[float, int]:
        """Mean loss of the learned tokens and number of tokens since the last call."""
        taken = float(self.step_loss), self.step_tokens
        self.step_loss.zero_()
        self.step_tokens = 0
        return taken


def make_trainer(
    config: RunConfig,
    model: PreTrainedModel,
    objective: Objective,
    sequences: Sequences,
    collator: Collator,
    arguments: TrainingArguments,
    micro_batches: MicroBatches,
) -> TaskTrainer:
    """A trainer for a model that lies on its device already."""
    set_seed(config.training.seed)
    return TaskTrainer(
        objective=objective,
        sequences=sequences,
        method=config.tuning,
        micro_batches=micro_batches,
        model=model,
        data_collator=collator,
        args=arguments,
    )


def training_arguments(
    config: RunConfig, folder: Path, precision: str, *, on_cpu: bool
) -> TrainingArguments:
    """Options of the run in the words of TrainingArguments, checkpoints below `folder`; what
    happens when is up to our callback, so their own strategies are off."""
    training = config.training
    again = config.model.gradient_checkpointing and config.tuning.checkpoints_gradients
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.num_train_epochs,
        max_steps=training.max_steps or -1,
        per_device_train_batch_size=training.per_device_train_batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=training.lr_scheduler_type,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        gradient_checkpointing=again,
        gradient_checkpointing_kwargs=CHECKPOINTING,
        use_cpu=on_cpu,
        bf16=precision == "bf16",
        fp16=precision == "fp16" and not on_cpu,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # else several GPUs become nn.DataParallel
    return arguments
