"""Out of memory in the middle of a step: the same step again, computed in smaller pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import PreTrainedModel

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import OutOfMemoryError
from maxaillm.dev.finetune.hf.batches.collate import Batch
from maxaillm.dev.finetune.hf.loading.memory import release, remedy

CHECKPOINTING: dict[str, Any] = {"use_reentrant": False}


class MicroBatches:
    """How many sequences are computed at once. It never grows again within a run.

    The loss is a sum divided by the count of the whole step, so a step computed in pieces has
    the same gradient: half the batch and twice the accumulation, without another batch order.
    """

    def __init__(self, config: RunConfig, warn: Callable[[str, str], object]) -> None:
        self.config, self.warn = config, warn
        self.size = config.training.per_device_train_batch_size
        again = config.model.gradient_checkpointing
        self.may_checkpoint = config.tuning.checkpoints_gradients and not again

    @property
    def facts(self) -> dict[str, int]:
        """What differs from the configuration, for the journal; nothing where nothing does."""
        wanted = self.config.training.per_device_train_batch_size
        return {"sequences_at_once": self.size} if self.size < wanted else {}

    def pieces(self, batch: Batch) -> Iterator[Batch]:
        """The batch in parts of at most `size` sequences; `tokens` count with the first."""
        rows = len(batch["labels"])
        if rows <= self.size:
            yield batch
            return
        for at in range(0, rows, self.size):
            part = slice(at, at + self.size)
            yield {
                name: value[part] if torch.is_tensor(value) and len(value) == rows else value
                for name, value in batch.items()
            } | {"tokens": 0 if at else batch["tokens"]}

    def shrink(self, batch: Batch, model: PreTrainedModel) -> None:
        """Need less memory than `batch` just did. Raises OutOfMemoryError where nothing helps."""
        release()
        rows = min(self.size, len(batch["labels"]))
        if rows > 1:
            self.size = (rows + 1) // 2
            self.warn(
                f"The memory did not suffice: a batch is computed {self.size} at once.",
                "The effective batch stays as it is. To save the time of finding out, set "
                f"training.per_device_train_batch_size to {self.size} and raise "
                "training.gradient_accumulation_steps to match.",
            )
        elif self.may_checkpoint:
            self.may_checkpoint = False
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=CHECKPOINTING)
            self.warn(
                "The memory did not suffice: activations are computed again instead of kept.",
                "It is slower. To start like this, set model.gradient_checkpointing.",
            )
        else:
            raise OutOfMemoryError("Not even one sequence fits into memory.", remedy(self.as_it_is))

    @property
    def as_it_is(self) -> RunConfig:
        """The configuration with what was changed since."""
        training = self.config.training.model_copy(update={"per_device_train_batch_size": 1})
        model = self.config.model.model_copy(update={"gradient_checkpointing": True})
        return self.config.model_copy(update={"training": training, "model": model})
