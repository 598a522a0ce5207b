"""LoKr: the update is a Kronecker product of two small matrices."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class LoKr(LayerMethod):
    """Repeats one small pattern over a whole layer. For very small adapters of full rank."""

    label: ClassVar[str] = "LoKr"
    recommended_learning_rate: ClassVar[float] = 1e-3  # a third of PEFT's method comparison's
    costs: ClassVar[str] = "A tenth of LoRA's weights; makes each whole update. Can be merged."
    config_name: ClassVar[str] = "LoKrConfig"
    peft_type: ClassVar[str | None] = "LOKR"
    on_conv1d: ClassVar[bool] = False

    name: Literal["lokr"] = "lokr"
    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Of the second matrix; where it is near that matrix's size, it is kept whole.",
    )
    alpha: int = Field(
        8,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank.",
    )

    def count(self, layer: Layer) -> int:
        """Both widths are split into two factors, as square as can be (LyCORIS)."""
        (small_in, large_in), (small_out, large_out) = split(layer.inputs), split(layer.outputs)
        first = small_out * small_in
        if self.r < max(large_out, large_in) / 2:
            return first + self.r * (large_out + large_in)
        return first + large_out * large_in


def split(width: int) -> tuple[int, int]:
    """The two factors of `width` that are nearest to each other, the smaller first."""
    small = max(n for n in range(1, int(width**0.5) + 1) if width % n == 0)
    return small, width // small
