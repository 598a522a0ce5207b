"""HRA: layers are mirrored by a chain of trained reflections."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class HRA(LayerMethod):
    """Turns what layers see and keeps its length; between LoRA and orthogonal tuning."""

    label: ClassVar[str] = "HRA"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = "Half of LoRA's weights, one reflection after another. Can be merged."
    config_name: ClassVar[str] = "HRAConfig"
    peft_type: ClassVar[str | None] = "HRA"
    on_conv1d: ClassVar[bool] = False

    name: Literal["hra"] = "hra"
    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Number of reflections; an even one starts with the base as it is.",
    )

    def count(self, layer: Layer) -> int:
        return self.r * layer.inputs
