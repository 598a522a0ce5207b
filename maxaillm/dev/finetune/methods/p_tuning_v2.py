"""P-tuning v2: keys and values that every layer sees before the row, trained directly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.prompts import PrefixMethod, kv_width_of, layers_of
from maxaillm.dev.finetune.model_files.shapes import ModelShapes


@methods.register
class PTuningV2(PrefixMethod):
    """Prefix tuning without a network. For understanding, on models of every size."""

    label: ClassVar[str] = "P-tuning v2"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = (
        5e-3  # Liu et al. 2022, the authors' scripts for SuperGLUE
    )
    costs: ClassVar[str] = "A thousandth of the weights; longer context. Can't be merged or packed."
    fixed: ClassVar[Mapping[str, Any]] = {"prefix_projection": False}

    name: Literal["p_tuning_v2"] = "p_tuning_v2"

    def count_trainable(self, base: ModelShapes) -> int:
        return self.num_virtual_tokens * 2 * layers_of(base) * kv_width_of(base)
