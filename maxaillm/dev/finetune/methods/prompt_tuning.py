"""Prompt tuning: virtual tokens before each row are trained, nothing else."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.prompts import PromptMethod, prompts_of, width_of
from maxaillm.dev.finetune.model_files.shapes import ModelShapes


@methods.register
class PromptTuning(PromptMethod):
    """The smallest adapter there is. For large models and simple tasks with much data."""

    label: ClassVar[str] = "Prompt tuning"
    recommended_learning_rate: ClassVar[float] = (
        1e-2  # large, as prompts need: Lester et al. 2021 use 0.3
    )
    costs: ClassVar[str] = (
        "A few thousand weights, the model's whole backward pass. Can't be merged or packed."
    )
    config_name: ClassVar[str] = "PromptTuningConfig"
    peft_type: ClassVar[str | None] = "PROMPT_TUNING"

    name: Literal["prompt_tuning"] = "prompt_tuning"

    def count_trainable(self, base: ModelShapes) -> int:
        return self.num_virtual_tokens * prompts_of(base) * width_of(base)
