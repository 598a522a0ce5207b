"""Prefix tuning: a network makes keys and values that every layer sees before the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.prompts import PrefixMethod, kv_width_of, layers_of
from maxaillm.dev.finetune.model_files.shapes import ModelShapes


@methods.register
class PrefixTuning(PrefixMethod):
    """Steers each layer by learned context, made by a network. For writing tasks."""

    label: ClassVar[str] = "Prefix tuning"
    recommended_learning_rate: ClassVar[float] = 1e-3  # PEFT's method comparison on MetaMathQA
    costs: ClassVar[str] = (
        "A large network while training, only its prefix after. Can't be merged or packed."
    )
    fixed: ClassVar[Mapping[str, Any]] = {"prefix_projection": True}

    name: Literal["prefix"] = "prefix"
    encoder_hidden_size: int = Field(
        512,
        ge=1,
        le=8192,
        title="Width of the network",
        description="Hidden size of the network that makes the prefix.",
        json_schema_extra={"advanced": True},
    )

    def count_trainable(self, base: ModelShapes) -> int:
        """The network's inputs and its two layers with their biases."""
        width, hidden = kv_width_of(base), self.encoder_hidden_size
        prefix = 2 * layers_of(base) * width
        return self.num_virtual_tokens * width + (width + 1) * hidden + (hidden + 1) * prefix
