"""LoHa: an update of higher rank as the entrywise product of two low-rank ones."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class LoHa(LayerMethod):
    """Reaches rank r squared for twice LoRA's weights. For styles and new material."""

    label: ClassVar[str] = "LoHa"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = (
        "Twice LoRA's weights at the same rank; makes each whole update. Can be merged."
    )
    config_name: ClassVar[str] = "LoHaConfig"
    peft_type: ClassVar[str | None] = "LOHA"
    on_conv1d: ClassVar[bool] = False

    name: Literal["loha"] = "loha"
    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    alpha: int = Field(
        8,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank.",
    )

    def count(self, layer: Layer) -> int:
        return 2 * self.r * (layer.inputs + layer.outputs)
