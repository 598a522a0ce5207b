"""OFT: the input of each layer is turned block by block; angles between neurons stay."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class OFT(LayerMethod):
    """Rotates instead of adding. Keeps what a model knows well, at the cost of speed."""

    label: ClassVar[str] = "OFT"
    recommended_learning_rate: ClassVar[float] = 1e-4  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = (
        "About LoRA's weights; slower, as rotations are made in each step. Can be merged."
    )
    config_name: ClassVar[str] = "OFTConfig"
    peft_type: ClassVar[str | None] = "OFT"
    on_conv1d: ClassVar[bool] = False
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["oft"] = "oft"
    oft_block_size: int = Field(
        32,
        ge=2,
        le=1024,
        title="Block size",
        description="Size of the rotated blocks: larger ones learn more. Fitted to each layer.",
    )
    module_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the blocks left as they are while training.",
        json_schema_extra={"advanced": True},
    )

    def count(self, layer: Layer) -> int:
        """A rotation of b dimensions has b (b - 1) / 2 angles (Qiu et al. 2023)."""
        size = fitted(self.oft_block_size, layer.inputs)
        return layer.inputs // size * (size * (size - 1) // 2)


def fitted(size: int, width: int) -> int:
    """The divisor of `width` that is nearest to `size`, the smaller of two."""
    divisors = (d for d in range(1, width + 1) if width % d == 0)
    return min(divisors, key=lambda divisor: (abs(divisor - size), divisor))
