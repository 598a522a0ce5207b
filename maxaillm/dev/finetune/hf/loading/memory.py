"""Out-of-memory errors: which they are, and what to change where memory does not suffice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import OutOfMemoryError

REFUSALS = (
    "DefaultCPUAllocator: can't allocate",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""By what a RuntimeError is known that says no more than that."""


@contextmanager
def out_of_memory_said(config: RunConfig) -> Iterator[None]:
    """Turn every kind of exhausted memory into OutOfMemoryError with what to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        raise OutOfMemoryError("The run does not fit into memory.", remedy(config)) from error


def lacks_memory(error: Exception) -> bool:
    """Whether a library has raised `error` because memory was refused."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(refusal in str(error) for refusal in REFUSALS)


def remedy(config: RunConfig) -> str:
    """The least change that helps: the same effective batch in smaller pieces comes first."""
    training = config.training
    size, accumulated = training.per_device_train_batch_size, training.gradient_accumulation_steps
    if size > 1:
        return (
            f"Set training.per_device_train_batch_size to {size // 2} (now {size}) and "
            f"training.gradient_accumulation_steps to {accumulated * 2} (now {accumulated})."
        )
    if not config.model.gradient_checkpointing:
        return "Switch on model.gradient_checkpointing."
    if config.data.max_length > 256:
        return f"Set data.max_length to {config.data.max_length // 2}."
    return "Choose a smaller model, or a method that keeps the base, such as lora."


def release() -> None:
    """Give back to the device what torch keeps for later."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def total_bytes(device: torch.device) -> int:
    """The memory of a device; of a CPU, the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)
