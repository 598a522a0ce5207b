"""IA³: keys, values and inner activations are scaled by trained vectors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.methods import FEW_BITS, Plan, methods
from maxaillm.dev.finetune.methods.shared.peft import LayerMethod
from maxaillm.dev.finetune.model_files.shapes import (
    DOWN,
    FUSED,
    KEY,
    VALUE,
    Layer,
    ModelShapes,
    fits,
)


@methods.register
class IA3(LayerMethod):
    """Inhibits and amplifies what layers pass on. For few rows and many tiny adapters.

    Without target modules these are keys, values and the second feed-forward layer (Liu et al.
    2022, section 3.3), by the names of the model's family.
    """

    label: ClassVar[str] = "IA³"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = 3e-3  # Liu et al. 2022, section 3.3
    costs: ClassVar[str] = "A hundredth of LoRA's weights, LoRA's speed. Can be merged."
    config_name: ClassVar[str] = "IA3Config"
    peft_type: ClassVar[str | None] = "IA3"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["ia3"] = "ia3"

    def layers(self, base: ModelShapes) -> list[Layer]:
        if self.target_modules is not None:
            return super().layers(base)
        scaled = base.having([*KEY, *VALUE, *FUSED]) + base.having(DOWN)
        return [layer for layer in base.linear_layers() if not scaled or fits(layer.name, scaled)]

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        options = super().options(base, plan)
        inner = [name for name in options["target_modules"] if is_inner(name)]
        return {**options, "feedforward_modules": inner}

    def count(self, layer: Layer) -> int:
        return layer.inputs if is_inner(layer.name) else layer.outputs

    def kept(self, layer: Layer) -> float:
        """What it scales."""
        return self.count(layer)


def is_inner(layer: str) -> bool:
    """Whether a layer's inputs are scaled: they are the inner activations."""
    return fits(layer, DOWN) or layer in DOWN
