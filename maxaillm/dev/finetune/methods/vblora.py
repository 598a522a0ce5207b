"""VB-LoRA: LoRA's matrices are mixed from one bank of vectors for all layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer, ModelShapes


@methods.register
class VBLoRA(LayerMethod):
    """Shares what is learned among layers. For models whose layers have much in common."""

    label: ClassVar[str] = "VB-LoRA"
    recommended_learning_rate: ClassVar[float] = 1e-2  # Li et al. 2024, for the mixtures
    costs: ClassVar[str] = "LoRA's weights and the bank; a little slower. Can be merged."
    config_name: ClassVar[str] = "VBLoRAConfig"
    peft_type: ClassVar[str | None] = "VBLORA"

    name: Literal["vblora"] = "vblora"
    r: int = Field(
        4,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    num_vectors: int = Field(
        256,
        ge=2,
        le=65_536,
        title="Vectors",
        description="Size of the bank.",
    )
    vector_length: int = Field(
        256,
        ge=1,
        le=8192,
        title="Length",
        description="Of a vector; it must divide the widths of the layers. Fitted to them.",
    )

    def fitted(self, layers: Sequence[Layer]) -> Self:
        """The longest vector that divides all widths."""
        common = gcd(*(width for layer in layers for width in layer[1:]))
        longest = max(n for n in range(1, self.vector_length + 1) if common % n == 0)
        return self.model_copy(update={"vector_length": longest})

    def count_trainable(self, base: ModelShapes) -> int:
        fitted = self.fitted(self.layers(base))
        return super().count_trainable(base) + self.num_vectors * fitted.vector_length

    def count(self, layer: Layer) -> int:
        """For each piece of each vector of the two matrices, a choice from the bank."""
        return self.r * (layer.inputs + layer.outputs) // self.vector_length * self.num_vectors
