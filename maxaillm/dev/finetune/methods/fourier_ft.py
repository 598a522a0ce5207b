"""FourierFT: a few coefficients of the update's spectrum are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class FourierFT(LayerMethod):
    """Learns a thousand numbers a layer, whatever its size. For very small adapters."""

    label: ClassVar[str] = "FourierFT"
    recommended_learning_rate: ClassVar[float] = 3e-3  # tenfold LoRA's: few numbers must move far
    costs: ClassVar[str] = (
        "Far fewer weights than LoRA; an inverse transform a layer and step. Can be merged."
    )
    config_name: ClassVar[str] = "FourierFTConfig"
    peft_type: ClassVar[str | None] = "FOURIERFT"
    fixed: ClassVar[Mapping[str, Any]] = {"init_weights": True}
    """Begins with the base as it is, unlike the paper, so that the first figure is the base's."""

    name: Literal["fourier_ft"] = "fourier_ft"
    n_frequency: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        title="Frequencies",
        description="Trained numbers a layer; fewer where the smallest layer has fewer.",
    )
    scaling: float = Field(
        150.0,
        gt=0,
        le=10_000,
        title="Scale",
        description="Scale of the update.",
    )

    def fitted(self, layers: Sequence[Layer]) -> Self:
        smallest = min(layer.inputs * layer.outputs for layer in layers)
        return self.model_copy(update={"n_frequency": min(self.n_frequency, smallest)})

    def count(self, layer: Layer) -> int:
        return self.n_frequency
