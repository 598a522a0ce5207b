"""TrainingArguments of a run: its options are passed on under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.utils import is_liger_kernel_available

from maxaillm.dev.finetune.config import RunConfig, deepspeed
from maxaillm.dev.finetune.config.schedule import LEAST_SHARE
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.hf.training.out_of_memory import CHECKPOINTING
from maxaillm.dev.finetune.run.attempt import Attempt

KNOWN = frozenset(field.name for field in fields(TrainingArguments) if field.init)
OURS: Mapping[str, Any] = {
    # Our callback logs, measures, saves and keeps the best; the Trainer's own are off.
    "logging_strategy": "no", "logging_steps": None,
    "eval_strategy": "no", "eval_steps": None,
    "save_strategy": "no", "save_steps": None, "save_total_limit": None,
    "load_best_model_at_end": None, "metric_for_best_model": None, "greater_is_better": None,
    # Several processes are our own affair, and batches have no columns to remove.
    "fsdp": None, "ddp_find_unused_parameters": None,
    "remove_unused_columns": False,
    # The journal alone tells what happens, NaN included.
    "logging_nan_inf_filter": False, "disable_tqdm": True, "report_to": "none",
    "log_level": "error",
}  # fmt: skip
"""Arguments that are not the configuration's to set, with their value; None: as by default."""
SCHEDULES: Mapping[str, Mapping[str, Any]] = {"cosine_with_min_lr": {"min_lr_rate": LEAST_SHARE}}
"""What a schedule needs besides."""
OWN_LOSS = {"fused_linear_cross_entropy": False, "cross_entropy": False}
"""Of Liger's kernels, those that take the place of our own loss."""


def training_arguments(
    config: RunConfig,
    folder: Path,
    precision: str,
    *,
    on_cpu: bool,
    made_of: Any = TrainingArguments,
    **own: Any,
) -> TrainingArguments:
    """Options of the run in the words of TrainingArguments, or of a class `made_of` it that has
    its `own` besides. Checkpoints go below `folder`."""
    given = same_names(config) | other_names(config) | machine(config, precision, on_cpu=on_cpu)
    ours = {name: value for name, value in OURS.items() if value is not None}
    arguments: TrainingArguments = made_of(output_dir=str(folder), **given, **ours, **own)
    arguments._n_gpu = min(arguments.n_gpu, 1)  # else several GPUs become nn.DataParallel
    return arguments


def same_names(config: RunConfig) -> dict[str, Any]:
    """Options of training and data that TrainingArguments knows by the same name, as they are;
    one that is left empty is left to its default."""
    options = dict(config.data) | dict(config.training)
    passed = KNOWN.intersection(options) - OURS.keys()
    return {name: options[name] for name in passed if options[name] is not None}


def other_names(config: RunConfig) -> dict[str, Any]:
    """Options that have another name or another value there."""
    training = config.training
    again = config.model.gradient_checkpointing and config.tuning.checkpoints_gradients
    return {
        "learning_rate": config.learning_rate,
        "lr_scheduler_kwargs": SCHEDULES.get(training.lr_scheduler_type),
        "warmup_steps": training.warmup_steps or training.warmup_ratio,
        "deepspeed": deepspeed.checked(config),
        "activation_checkpointing": again,
        "activation_checkpointing_kwargs": CHECKPOINTING if again else None,
    }


def machine(config: RunConfig, precision: str, *, on_cpu: bool) -> dict[str, Any]:
    """What depends on the device."""
    return {
        "use_cpu": on_cpu,
        "bf16": precision == "bf16",
        "fp16": precision == "fp16" and not on_cpu,
        "use_liger_kernel": config.model.kernels == "auto"
        and not on_cpu
        and is_liger_kernel_available(),
        "liger_kernel_config": OWN_LOSS,
    }


def warn_of_unreached(training: TrainingSection, steps: int, attempt: Attempt) -> None:
    """Say what would happen every so many steps, but never does in so short a run."""
    for name, every in training.unreached(steps).items():
        attempt.warn(
            f"training.{name} is {every:,}, but the run has {steps:,} steps.",
            "Leave it out: then the length of the run decides.",
        )
