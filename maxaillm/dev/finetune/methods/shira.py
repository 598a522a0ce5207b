"""SHiRA: a few weights of each layer, drawn by chance, are trained themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class SHiRA(LayerMethod):
    """Sparse updates of high rank that can be switched fast. For many adapters in turn."""

    label: ClassVar[str] = "SHiRA"
    recommended_learning_rate: ClassVar[float] = 2e-4  # LoRA's, as PEFT's method comparison does
    costs: ClassVar[str] = "LoRA's weights; makes each whole update. Can be merged."
    config_name: ClassVar[str] = "ShiraConfig"
    peft_type: ClassVar[str | None] = "SHIRA"
    on_conv1d: ClassVar[bool] = False
    fixed: ClassVar[Mapping[str, Any]] = {"random_seed": 0}
    """PEFT draws the positions again when it loads an adapter: they must be the same ones."""

    name: Literal["shira"] = "shira"
    r: int = Field(
        32,
        ge=1,
        le=1024,
        title="Rank",
        description="As many weights are trained as LoRA has at this rank.",
    )

    def fitted(self, layers: Sequence[Layer]) -> Self:
        most = min(
            layer.inputs * layer.outputs // (layer.inputs + layer.outputs) for layer in layers
        )
        return self.model_copy(update={"r": min(self.r, most)})

    def count(self, layer: Layer) -> int:
        return self.r * (layer.inputs + layer.outputs)
