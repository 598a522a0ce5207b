"""RoAd: pairs of a layer's outputs are rotated and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class RoAd(LayerMethod):
    """Two numbers a pair of outputs. For tiny adapters that are served together."""

    label: ClassVar[str] = "RoAd"
    recommended_learning_rate: ClassVar[float] = 1e-3  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = "A hundredth of LoRA's weights, and fast. Can be merged."
    config_name: ClassVar[str] = "RoadConfig"
    peft_type: ClassVar[str | None] = "ROAD"
    on_conv1d: ClassVar[bool] = False
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["road"] = "road"
    group_size: int = Field(
        64,
        ge=2,
        le=1024,
        multiple_of=2,
        title="Group",
        description="How far apart the two outputs of a pair lie, doubled. Fitted to the layers.",
        json_schema_extra={"advanced": True},
    )

    def fitted(self, layers: Sequence[Layer]) -> Self:
        """The largest even group that divides all widths."""
        common = gcd(*(layer.outputs for layer in layers))
        sizes = (size for size in range(self.group_size, 1, -1) if size % 2 == 0)
        fitting = next((size for size in sizes if common % size == 0), self.group_size)
        return self.model_copy(update={"group_size": fitting})

    def count(self, layer: Layer) -> int:
        """An angle and a scale for each pair."""
        return layer.outputs
