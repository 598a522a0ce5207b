"""Freezing: only the last layers and the head are trained."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import Plan, TuneMethod, methods
from maxaillm.dev.finetune.model_files.shapes import ModelShapes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BLOCK = re.compile(r"^(.*?)\.(\d+)\.")
"""The first number in a parameter's name is that of its block: `model.layers.3.mlp...`."""
EMBEDDING = re.compile(r"(^|\.)(\w*embed\w*|wte|wpe|shared)(\.|$)")


@methods.register
class Freeze(TuneMethod):
    """Trains the last layers and the head as they are. For small changes without an adapter.

    A head that shares its weights with the embeddings stays frozen with them.
    """

    label: ClassVar[str] = "Freeze"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = 5e-5  # full fine-tuning's
    costs: ClassVar[str] = (
        "Full fine-tuning's memory for the trained layers; faster; a whole model."
    )
    keeps_base: ClassVar[bool] = False

    name: Literal["freeze"] = "freeze"
    trainable_layers: int = Field(
        2,
        ge=1,
        le=1000,
        title="Trained layers",
        description="How many, counted from the end; of encoder and decoder each.",
    )

    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        trained = self.trained([name for name, _ in model.named_parameters()])
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
        return model

    def learns_tokens(self, base: ModelShapes) -> bool:
        """To write them, where the head has weights of its own."""
        return not base.ties_embeddings

    def count_trainable(self, base: ModelShapes) -> int:
        trained = self.trained(base.shapes)
        return sum(prod(shape) for name, shape in base.shapes.items() if name in trained)

    def trained(self, names: Iterable[str]) -> set[str]:
        """The parameters in the last blocks of a stack, or in none and no embedding either."""
        blocks = {name: BLOCK.match(name) for name in names}
        depth: dict[str, int] = {}
        for found in filter(None, blocks.values()):
            depth[found[1]] = max(depth.get(found[1], 0), int(found[2]) + 1)
        return {
            name
            for name, found in blocks.items()
            if (
                int(found[2]) >= depth[found[1]] - self.trainable_layers
                if found
                else not EMBEDDING.search(name)
            )
        }
