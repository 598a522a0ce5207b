"""MiSS: one small matrix, repeated along the rows of a layer, is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class MiSS(LayerMethod):
    """Shards of a layer share one update. Fast and sparing; follows Bone."""

    label: ClassVar[str] = "MiSS"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = "Half of LoRA's weights at the same rank, and fast. Can be merged."
    config_name: ClassVar[str] = "MissConfig"
    peft_type: ClassVar[str | None] = "MISS"
    on_conv1d: ClassVar[bool] = False

    name: Literal["miss"] = "miss"
    r: int = Field(
        64,
        ge=1,
        le=1024,
        title="Rank",
        description="Height of the shared matrix; less where the narrowest layer is narrower.",
    )
    miss_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
        json_schema_extra={"advanced": True},
    )

    def fitted(self, layers: Sequence[Layer]) -> Self:
        return self.model_copy(update={"r": min([self.r, *(layer.inputs for layer in layers)])})

    def count(self, layer: Layer) -> int:
        return self.r * layer.outputs
