"""Full fine-tuning: every weight is trained."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.methods import Plan, TuneMethod, methods
from maxaillm.dev.finetune.model_files.shapes import ModelShapes

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@methods.register
class Full(TuneMethod):
    """Trains every weight. Learns most; needs the most memory and a disk for whole models."""

    label: ClassVar[str] = "Full fine-tuning"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = 5e-5  # Hugging Face's TrainingArguments
    costs: ClassVar[str] = "Sixteen bytes of memory a weight, and a whole model on disk."
    keeps_base: ClassVar[bool] = False

    name: Literal["full"] = "full"

    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        return model.requires_grad_(requires_grad=True)

    def learns_tokens(self, base: ModelShapes) -> bool:
        return True

    def count_trainable(self, base: ModelShapes) -> int:
        return sum(prod(shape) for shape in base.shapes.values())
