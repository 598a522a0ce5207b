"""RandLoRA: a full-rank update from fixed random matrices with trained scales."""

from __future__ import annotations

from math import ceil
from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class RandLoRA(LayerMethod):
    """Updates of full rank for LoRA's memory. For hard tasks where LoRA levels off."""

    label: ClassVar[str] = "RandLoRA"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = "LoRA's weights, at more computation. Can be merged."
    config_name: ClassVar[str] = "RandLoraConfig"
    peft_type: ClassVar[str | None] = "RANDLORA"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["randlora"] = "randlora"
    r: int = Field(
        32,
        ge=1,
        le=1024,
        title="Rank",
        description="Rank of each random matrix: here a smaller one means more trained weights.",
    )
    randlora_alpha: int = Field(
        640,
        ge=1,
        le=16_384,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank. 20 times the rank.",
    )
    randlora_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
        json_schema_extra={"advanced": True},
    )

    def count(self, layer: Layer) -> int:
        smaller = min(layer.inputs, layer.outputs)
        return ceil(smaller / self.r) * (self.r + smaller)
