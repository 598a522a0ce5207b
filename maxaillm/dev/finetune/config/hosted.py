"""Hosted configurations: what a run that comes over the network may not say.

Who types a command may name any file of the machine; who sends a request may name none, be it in an
option of ours or inside of what is passed on to a library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.deepspeed import KEYS, SECTION, ZERO_KEYS, problem
from maxaillm.dev.finetune.errors import Problem

OFFLOAD = frozenset({"device", "pin_memory", "buffer_count", "buffer_size", "max_in_cpu", "ratio"})
SECTIONS: dict[str, frozenset[str]] = {
    "zero_optimization": frozenset(ZERO_KEYS),
    "zero_optimization.offload_optimizer": OFFLOAD,
    "zero_optimization.offload_param": OFFLOAD,
    "optimizer": frozenset({"type", "params"}),
    "optimizer.params": frozenset(
        {
            "lr", "betas", "eps", "weight_decay", "momentum", "bias_correction", "adam_w_mode",
            "torch_adam", "max_coeff", "min_coeff",
        }
    ),
    "scheduler": frozenset({"type", "params"}),
    "scheduler.params": frozenset(
        {
            "warmup_min_lr", "warmup_max_lr", "warmup_num_steps", "warmup_type", "total_num_steps",
            "warmup_min_ratio", "cos_min_ratio", "cycle_min_lr", "cycle_max_lr", "decay_lr_rate",
            "cycle_first_step_size", "cycle_second_step_size", "decay_step_size",
        }
    ),
    "fp16": frozenset(
        {
            "enabled", "auto_cast", "loss_scale", "initial_scale_power", "loss_scale_window",
            "hysteresis", "consecutive_hysteresis", "min_loss_scale",
        }
    ),
    "bf16": frozenset({"enabled", "immediate_grad_update"}),
    "data_types": frozenset({"grad_accum_dtype"}),
    "activation_checkpointing": frozenset(
        {
            "partition_activations", "cpu_checkpointing", "contiguous_memory_optimization",
            "number_checkpoints", "synchronize_checkpoint_boundary", "profile",
        }
    ),
}  # fmt: skip
"""Sections of DeepSpeed that compute and no more, with their options. The others write files, read
some, start programs or reach servers: tensorboard, csv_monitor, wandb, flops_profiler, autotuning,
aio, checkpoint, data_efficiency … (https://www.deepspeed.ai/docs/config-json/)."""
WORDS: dict[str, frozenset[str]] = {
    "optimizer.type": frozenset({"Adam", "AdamW", "Adagrad", "Lamb", "Lion", "SGD"}),
    "scheduler.type": frozenset(
        {"LRRangeTest", "OneCycle", "WarmupLR", "WarmupDecayLR", "WarmupCosineLR"}
    ),
}
"""DeepSpeed looks these names up in modules of its own and of torch."""
PLAIN_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")


def refusals(config: RunConfig) -> Iterator[Problem]:
    """A problem for each option that only the command line may have."""
    yield from local_files(config, "")
    if isinstance(config.training.deepspeed, dict):
        yield from section_problems(config.training.deepspeed, "", TOP)


def local_files(section: BaseModel, at: str) -> Iterator[Problem]:
    """Options that name a file of this machine, in all sections and components."""
    for name, info in type(section).model_fields.items():
        value, path = getattr(section, name), f"{at}{name}"
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        if isinstance(value, BaseModel) and "local" not in extra:
            yield from local_files(value, f"{path}.")
        elif isinstance(value, Path) or (
            "local" in extra and isinstance(value, str | BaseModel) and value != info.default
        ):
            message = "Files are for the command line."
            yield Problem(path, message, str(value), str(extra.get("local", "")))


TOP = frozenset(key for key, kinds in KEYS.items() if kinds != SECTION or key in SECTIONS)
"""What may stand at the top of a configuration of DeepSpeed."""


def section_problems(
    section: Mapping[str, Any], at: str, allowed: frozenset[str]
) -> Iterator[Problem]:
    """What DeepSpeed may not be told in one of its sections, and in those within."""
    for key, value in section.items():
        path = f"{at}.{key}" if at else str(key)
        if key not in allowed:
            message = "Over the network DeepSpeed is only told what to compute."
            yield problem(path[:200], message, shown(value), ", ".join(sorted(allowed)))
        elif isinstance(value, dict):
            yield from section_problems(value, path, SECTIONS.get(path, frozenset()))
        elif not is_plain(value) or str(value) not in WORDS.get(path, {str(value)}):
            words = ", ".join(sorted(WORDS.get(path, ()))) or "a number, a switch or a word"
            yield problem(path, "This value is for the command line.", shown(value), words)


def is_plain(value: object) -> bool:
    """Numbers, switches and single words: nothing that a path or an address could be."""
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    if isinstance(value, str):
        return PLAIN_WORD.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)


def shown(value: object) -> JsonValue:
    return value if isinstance(value, int | float) else str(value)[:200]
