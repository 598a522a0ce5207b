"""DoRA: LoRA with the length of each column trained apart from its direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LoraMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class DoRA(LoraMethod):
    """Closer to full fine-tuning than LoRA at low ranks. For when LoRA falls a little short."""

    label: ClassVar[str] = "DoRA"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = 2e-4  # Liu et al. 2024, appendix: LoRA's settings
    costs: ClassVar[str] = "LoRA's memory; noticeably slower in training. Can be merged."
    quantizes: ClassVar[frozenset[str]] = frozenset({"4bit"})
    """Measuring the columns breaks bitsandbytes' 8-bit layers."""
    fixed: ClassVar[Mapping[str, Any]] = {"use_dora": True}

    name: Literal["dora"] = "dora"

    def count(self, layer: Layer) -> int:
        return super().count(layer) + layer.outputs  # and the magnitudes
