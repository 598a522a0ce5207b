"""DeLoRA: LoRA whose direction and strength are trained apart."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class DeLoRA(LayerMethod):
    """Bounds how far weights move. For long or risky runs, where LoRA drifts off."""

    label: ClassVar[str] = "DeLoRA"
    recommended_learning_rate: ClassVar[float] = 1e-3  # Bini et al. 2025: larger rates do no harm
    costs: ClassVar[str] = "LoRA's weights; a little slower. Can be merged."
    config_name: ClassVar[str] = "DeloraConfig"
    peft_type: ClassVar[str | None] = "DELORA"
    on_conv1d: ClassVar[bool] = False

    name: Literal["delora"] = "delora"
    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    delora_lambda: int = Field(
        15,
        ge=1,
        le=1000,
        title="Bound",
        description="How far the weights may move at first; trained along.",
    )

    def count(self, layer: Layer) -> int:
        return self.r * (layer.inputs + layer.outputs) + 1
