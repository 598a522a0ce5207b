"""Lean layers: those of a model on a CPU that can keep less for the gradient, or take less time."""

from __future__ import annotations

from typing import Any

from maxaillm.dev.finetune.hf.kernels.cpu_dropout import use_cheap_dropout
from maxaillm.dev.finetune.hf.kernels.gated_product import use_lean_gates
from maxaillm.dev.finetune.hf.kernels.lora_input import use_lean_lora
from maxaillm.dev.finetune.hf.kernels.rms_norm import use_lean_norms


def use_lean_layers(model: Any) -> None:
    """After a method has added its own. They compute what the layers in their place do."""
    use_cheap_dropout(model)
    use_lean_lora(model)
    use_lean_norms(model)
    use_lean_gates(model)
