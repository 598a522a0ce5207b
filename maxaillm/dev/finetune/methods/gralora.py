"""GraLoRA: a layer is cut into blocks, each with a small LoRA of its own."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class GraLoRA(LayerMethod):
    """Finer than LoRA at high ranks, where LoRA over-fits."""

    label: ClassVar[str] = "GraLoRA"
    recommended_learning_rate: ClassVar[float] = 2e-4  # LoRA's: scale and start are the same
    costs: ClassVar[str] = "LoRA's weights and speed. Can be merged."
    config_name: ClassVar[str] = "GraloraConfig"
    peft_type: ClassVar[str | None] = "GRALORA"

    name: Literal["gralora"] = "gralora"
    r: int = Field(
        32,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    alpha: int = Field(
        64,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank.",
    )
    gralora_k: int = Field(
        2,
        ge=1,
        le=16,
        title="Blocks",
        description="Into how many parts inputs and outputs are cut; must divide both.",
    )

    def count(self, layer: Layer) -> int:
        return self.r * (layer.inputs + layer.outputs)
