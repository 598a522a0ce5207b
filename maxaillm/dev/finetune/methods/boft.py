"""BOFT: layers are turned by products of sparse rotations (butterflies)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class BOFT(LayerMethod):
    """Orthogonal tuning with fewer weights than OFT. Keeps what a model knows well."""

    label: ClassVar[str] = "BOFT"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = (
        "Few weights, but slow and memory for a square matrix a layer. Can be merged."
    )
    config_name: ClassVar[str] = "BOFTConfig"
    peft_type: ClassVar[str | None] = "BOFT"
    on_conv1d: ClassVar[bool] = False

    name: Literal["boft"] = "boft"
    boft_block_size: int = Field(
        4,
        ge=2,
        le=256,
        title="Block size",
        description="Size of the rotated blocks; the width of every layer must be a multiple.",
    )

    def count(self, layer: Layer) -> int:
        """The blocks, and a scale for each output."""
        return layer.inputs * self.boft_block_size + layer.outputs
