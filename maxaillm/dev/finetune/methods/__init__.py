"""Ways to tune a model, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from maxaillm.dev.finetune.registry import Component, Registry

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Shapes = Mapping[str, tuple[int, ...]]
"""Parameter name -> shape, as read from the headers of safetensors files."""


class Plan(NamedTuple):
    """What a method may need to know of the run it serves."""

    task: str
    """PEFT's name of the task, such as `CAUSAL_LM`."""
    steps: int
    """Optimizer steps of the whole run."""


class TuneMethod(Component, ABC):
    """A way to tune: which weights are trained, and how they are set up."""

    recommended_learning_rate: ClassVar[float]
    keeps_base: ClassVar[bool]
    """Whether the base model stays as it is and only an adapter is saved."""
    packs: ClassVar[bool] = True
    """Whether packed documents stay invisible to each other under this method."""

    @abstractmethod
    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        """Return `model` with the weights to train set up."""

    @abstractmethod
    def count_trainable(self, shapes: Shapes, model_type: str) -> int:
        """How many parameters would be trained, from the shapes alone, without torch."""

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        """Called after each optimizer step, gradients still there. Most methods need nothing."""


methods: Registry[TuneMethod] = Registry("tuning method", package=__name__)
