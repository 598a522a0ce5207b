"""Hardware fallbacks: what this machine can't do of a configuration is replaced by what it can."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import is_flash_attn_2_available

from maxaillm.dev.finetune.config import ModelSection, RunConfig
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.loading import Opened
from maxaillm.dev.finetune.hf.loading.precision import agreed_precision, bf16_speedup
from maxaillm.dev.finetune.run.torchrun import is_launched, process_count

Warn = Callable[[str, str], object]
COMPILER_ERRORS = (RuntimeError, OSError)
"""What torch.compile raises where it finds no compiler, or one that does not work."""


def supported_config(config: RunConfig, device: torch.device, warn: Warn) -> RunConfig:
    """The configuration as this machine can carry it out; each change is a warning."""
    model = supported_model(config.model, device, warn)
    attention = supported_attention(config, model.precision, device, warn)
    model = model.model_copy(update={"attention": attention})
    training = supported_training(config.training, device, warn)
    return config.model_copy(update={"model": model, "training": training})


def supported_model(model: ModelSection, device: torch.device, warn: Warn) -> ModelSection:
    precision = agreed_precision(model.precision, device)
    if model.precision not in {"auto", precision}:
        warn(f"There is no {model.precision} on this device: {precision} it is.", "")
    elif precision == "bf16" and device.type == "cpu" and bf16_speedup() < 1:
        warn(
            "This processor is slow at bf16: a matrix product takes "
            f"{1 / bf16_speedup():.1f} times as long as in fp32.",
            "Set model.precision to fp32 or auto.",
        )
    compiles = model.compile and can_compile(device, warn)
    return model.model_copy(update={"precision": precision, "compile": compiles})


def supported_attention(config: RunConfig, precision: str, device: torch.device, warn: Warn) -> str:
    """`auto` is left where nothing better is known than the model's own choice. With packing it
    is: transformers' FlashAttention keeps packed rows apart in batches of one only."""
    wanted = config.model.attention
    there = device.type == "cuda" and precision != "fp32" and is_flash_attn_2_available()
    if wanted == "auto":
        return "flash_attention_2" if there and not config.data.packing else "auto"
    if wanted == "flash_attention_2" and not there:
        warn(
            "FlashAttention needs a GPU, 16 bits and the package flash-attn: torch's own is used.",
            "Set model.attention to auto to silence this.",
        )
        return "sdpa"
    return wanted


def with_attention(wanted: str, load: Callable[..., Opened], warn: Warn) -> Opened:
    """What `load` opens with the attention that is wanted, else with the model's own."""
    if wanted == "auto":
        return load()
    try:
        return load(attn_implementation=wanted)
    except ModelError as error:
        opened = load()
        warn(f"This model has no {wanted}: its own attention is used.", error.message)
        return opened


def supported_training(
    training: TrainingSection, device: torch.device, warn: Warn
) -> TrainingSection:
    changed: dict[str, Any] = {"devices": process_count()}
    if training.devices > process_count():
        warn(
            f"{training.devices} devices need as many processes: this run has {process_count()}.",
            "Start it by the command, `python -m maxaillm.dev.finetune train`.",
        )
    if training.deepspeed and not is_launched():
        changed["deepspeed"] = None
        warn(
            "DeepSpeed needs torchrun, which has not started this run: it is left out.",
            "Start it by the command, `python -m maxaillm.dev.finetune train`.",
        )
    if training.optim == "adamw_bnb_8bit" and find_spec("bitsandbytes") is None:
        changed["optim"] = "adamw_torch_fused"
        warn("8-bit AdamW needs bitsandbytes, which is not installed: AdamW it is.", "")
    if training.fsdp != "none":
        changed["fsdp"] = "none"
        warn(
            f"The model is not sharded: {why_not_sharded(device)} Each process holds it whole.",
            "Where it does not fit, choose a method that keeps the base, such as lora.",
        )
    return training.model_copy(update=changed)


def why_not_sharded(device: torch.device) -> str:
    if device.type == "cpu":
        return "on a CPU there is nothing to gain, for all processes share its memory."
    return "this version shards by DeepSpeed only (training.deepspeed)."


def can_compile(device: torch.device, warn: Warn) -> bool:
    """Whether torch.compile works here: on a CPU it needs a C++ compiler, on a GPU Triton."""
    try:
        torch.compile(lambda x: (x + 1).relu())(torch.zeros(8, device=device))
    except COMPILER_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        warn(f"torch.compile does not work here, so nothing is compiled: {reason}", "")
        return False
    return True


def compile_layers(model: PreTrainedModel) -> None:
    """Compile each layer by itself: they are alike, so that takes a fraction of the time of the
    whole, and what changes around them, such as adapters or the head, compiles nothing anew."""
    names = set(model._no_split_modules or ())
    for module in list(model.modules()):
        if type(module).__name__ in names:
            module.compile(dynamic=True)
