"""P-tuning: a small network makes the virtual tokens before each row."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.prompts import PromptMethod, prompts_of, width_of
from maxaillm.dev.finetune.model_files.shapes import ModelShapes


@methods.register
class PTuning(PromptMethod):
    """Prompt tuning that learns more steadily. For understanding rather than writing."""

    label: ClassVar[str] = "P-tuning"
    recommended_learning_rate: ClassVar[float] = 1e-3  # PEFT's guide to P-tuning
    costs: ClassVar[str] = (
        "A small network while training, only its tokens after. Can't be merged or packed."
    )
    config_name: ClassVar[str] = "PromptEncoderConfig"
    peft_type: ClassVar[str | None] = "P_TUNING"

    name: Literal["p_tuning"] = "p_tuning"
    encoder_hidden_size: int = Field(
        128,
        ge=1,
        le=8192,
        title="Width of the network",
        description="Hidden size of the network that makes the virtual tokens.",
        json_schema_extra={"advanced": True},
    )

    def count_trainable(self, base: ModelShapes) -> int:
        """The network's inputs and its three layers with their biases."""
        width, hidden = width_of(base), self.encoder_hidden_size
        network = (width + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * width
        return self.num_virtual_tokens * prompts_of(base) * width + network
