"""LN tuning: only the normalisation layers are trained."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.methods import FEW_BITS, Plan, methods
from maxaillm.dev.finetune.methods.shared.peft import PeftMethod
from maxaillm.dev.finetune.model_files.shapes import ModelShapes


@methods.register
class LNTuning(PeftMethod):
    """Trains what is tiny already: scales and shifts of the norms. For light adaptation."""

    label: ClassVar[str] = "LN tuning"
    recommended_learning_rate: ClassVar[float] = 1e-3  # tenfold LoRA's: few numbers must move far
    costs: ClassVar[str] = "A ten-thousandth of the weights; nothing is added. Can be merged."
    merges: ClassVar[bool] = True
    config_name: ClassVar[str] = "LNTuningConfig"
    peft_type: ClassVar[str | None] = "LN_TUNING"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["ln_tuning"] = "ln_tuning"

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        return {"target_modules": base.norms()}

    def count_trainable(self, base: ModelShapes) -> int:
        vectors = {f"{norm}.{kind}" for norm in base.norms() for kind in ("weight", "bias")}
        return sum(prod(shape) for name, shape in base.shapes.items() if name in vectors)
