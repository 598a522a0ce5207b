"""LoRA adapters as they lie on disk, read as factors of each layer: W + A B."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig
from peft.utils.other import get_pattern_key
from safetensors import safe_open
from torch import Tensor

from maxaillm.dev.finetune.model_files.card import ADAPTER_WEIGHTS
from maxaillm.dev.finetune.model_files.folder import check_adapter
from maxaillm.model.batching.attention import UnbatchableError

PREFIX = "base_model.model."
READ = frozenset({
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "exclude_modules",
    "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
    "layers_to_transform", "lora_alpha", "lora_dropout", "peft_type", "peft_version", "r",
    "rank_pattern", "revision", "target_modules", "task_type", "use_rslora",
})  # fmt: skip
"""Settings that are honoured here, or that only say how an adapter was trained."""
INNOCENT_STARTS = (True, False, "gaussian", "eva", "orthogonal")
"""Ways to initialise that leave the base's own weights as they are."""


class Factors(NamedTuple):
    """Of one layer: `a` [rank, inputs], `b` [rank, outputs] with the scaling multiplied in."""

    a: Tensor
    b: Tensor


class LoraAdapter(NamedTuple):
    """An adapter in memory: the factors of each layer that it changes, by the layer's path."""

    layers: dict[str, Factors]

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for pair in self.layers.values() for t in pair)


def read_lora(folder: Path, device: torch.device) -> LoraAdapter:
    """Raises UnbatchableError for adapters of other kinds, or with more than two factors a layer;
    ModelError where the files are broken."""
    settings = check_adapter(folder)
    require_plain(settings)
    weights = read_weights(folder / ADAPTER_WEIGHTS, device)
    layers: dict[str, Factors] = {}
    for name, first in weights.items():
        path, _, kind = name.removeprefix(PREFIX).rpartition(".lora_A")
        if kind != ".weight":
            if ".lora_B.weight" not in name:
                raise unbatchable(f"has weights named {name}")
            continue
        second = weights[name.replace(".lora_A.", ".lora_B.")]
        scale = scaling_of(settings, path, first.shape[0])
        layers[path] = Factors(first.contiguous(), (second.T * scale).contiguous())
    return LoraAdapter(layers)


def read_weights(path: Path, device: torch.device) -> dict[str, Tensor]:
    with safe_open(path, framework="pt", device=str(device)) as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    half = (torch.float16, torch.bfloat16)  # PEFT computes these in single precision
    return {name: t.float() if t.dtype in half else t for name, t in held.items()}


def require_plain(settings: Mapping[str, Any]) -> None:
    if settings.get("peft_type") != "LORA":
        raise unbatchable(f"is of the kind {settings.get('peft_type')}")
    usual = LoraConfig().to_dict()
    odd = [
        name
        for name, value in settings.items()
        if name not in READ and value not in (usual.get(name), None, False, [], {})
    ]
    if odd:
        raise unbatchable(f"sets {odd[0]}")
    if settings.get("init_lora_weights", True) not in INNOCENT_STARTS:
        raise unbatchable(f"was initialised as {settings['init_lora_weights']}")


def scaling_of(settings: Mapping[str, Any], path: str, rank: int) -> float:
    """alpha / rank, or by the root of the rank (Kalajdzievski 2023)."""
    alphas = settings.get("alpha_pattern") or {}
    alpha = alphas.get(get_pattern_key(alphas, path), settings["lora_alpha"])
    return float(alpha / (rank**0.5 if settings.get("use_rslora") else rank))


def unbatchable(why: str) -> UnbatchableError:
    return UnbatchableError(f"An adapter that {why} is not batched.", "Ask one after the other.")
