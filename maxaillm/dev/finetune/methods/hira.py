"""HiRA: a low-rank matrix multiplies the weights, so that the update has full rank."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import Layer


@methods.register
class HiRA(LayerMethod):
    """Updates of high rank for LoRA's weights. For knowledge and reasoning."""

    label: ClassVar[str] = "HiRA"
    recommended_learning_rate: ClassVar[float] = 2e-3  # half of what PEFT's method comparison takes
    costs: ClassVar[str] = "LoRA's weights; makes each whole update. Can be merged."
    config_name: ClassVar[str] = "HiraConfig"
    peft_type: ClassVar[str | None] = "HIRA"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["hira"] = "hira"
    r: int = Field(
        32,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    hira_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
        json_schema_extra={"advanced": True},
    )

    def count(self, layer: Layer) -> int:
        return self.r * (layer.inputs + layer.outputs)
