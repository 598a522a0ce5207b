"""VeRA: random matrices shared by all layers, of which only scales are trained."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class VeRA(LayerMethod):
    """Trains two vectors a layer. For many tiny adapters on one base."""

    label: ClassVar[str] = "VeRA"
    recommended_learning_rate: ClassVar[float] = (
        4e-3  # Kopiczko et al. 2024, table of instruction tuning
    )
    costs: ClassVar[str] = "A tenth of LoRA's weights, at more computation. Can be merged."
    config_name: ClassVar[str] = "VeraConfig"
    peft_type: ClassVar[str | None] = "VERA"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["vera"] = "vera"
    r: int = Field(
        256,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the shared random matrices; the trained vectors grow little with it.",
    )
    vera_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
        json_schema_extra={"advanced": True},
    )

    def count(self, layer: Layer) -> int:
        return self.r + layer.outputs
