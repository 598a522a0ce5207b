"""Ways to tune a model, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

FEW_BITS = frozenset({"8bit", "4bit"})


class Plan(NamedTuple):
    """What a method may need to know of the run it serves."""

    task: str | None
    """PEFT's name of the task, such as `CAUSAL_LM`; None where it has none."""
    steps: int
    """Optimizer steps of the whole run."""
    warn: Callable[[str, str], object] = lambda message, hint: None
    """Tells the user what was changed, and what to do about it."""
    fresh: Sequence[str] = ()
    """Weights that the base does not have: those of a new head. They are trained and saved."""


class TuneMethod(Component, ABC):
    """A way to tune: which weights are trained, and how they are set up."""

    recommended_learning_rate: ClassVar[float]
    costs: ClassVar[str]
    """What it costs in memory and time, in one sentence."""
    usual: ClassVar[bool] = False
    """Whether most people choose among this and a few others: shown first."""
    keeps_base: ClassVar[bool]
    """Whether the base model stays as it is and only an adapter is saved."""
    merges: ClassVar[bool] = False
    """Whether the adapter can be added to the base's own weights."""
    packs: ClassVar[bool] = True
    """Whether packed documents stay invisible to each other under this method."""
    checkpoints_gradients: ClassVar[bool] = True
    """Whether activations may be computed again instead of kept."""
    quantizes: ClassVar[frozenset[str]] = frozenset()
    """How few bits the base may be held in."""
    tasks: ClassVar[frozenset[str]] = EVERY_TASK
    peft_type: ClassVar[str | None] = None
    """What the `adapter_config.json` of its adapters says."""

    @classmethod
    def refusal(cls, task: str, model_type: str) -> str | None:
        """Why the method does not serve the task with this kind of model; None: it does."""
        if task in cls.tasks:
            return None
        served = ", ".join(sorted(cls.tasks))
        return f"{cls.label} does not serve {task} with {model_type}; it serves {served}."

    @property
    def virtual_tokens(self) -> int:
        """How many are put before each row; they take room from the context."""
        return 0

    @abstractmethod
    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        """Return `model` with the weights to train set up. Raises ModelError."""

    @abstractmethod
    def count_trainable(self, base: ModelShapes) -> int:
        """How many parameters of `base` and beside it would be trained. A head that is new to
        the model comes on top."""

    def kept_values(self, base: ModelShapes) -> float:
        """How many numbers it keeps of each token for the gradient, beside those of the base."""
        return 0.0

    @classmethod
    def make_room(cls, model: PreTrainedModel) -> None:
        """Change a base's layers, not what they compute, so that an adapter can lie on them."""

    def untuned(self, model: PreTrainedModel) -> AbstractContextManager[object]:
        """Within, a model that no step has changed yet computes what its base does."""
        return nullcontext()

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        """Called after each optimizer step, gradients still there. Most methods need nothing."""

    def checkpoint_state(self, model: PreTrainedModel) -> Mapping[str, Tensor]:
        """All that is trained and counted, where the files of a saved adapter do not suffice to
        go on from; else nothing."""
        return {}

    def restore_state(self, model: PreTrainedModel, state: Mapping[str, Tensor]) -> None:
        """Go back to what `checkpoint_state` gave."""

    def finish(self, model: PreTrainedModel) -> None:
        """Called before the tuned model is saved."""

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """The tuned model as one of the base's own kind, where the method `merges`."""
        return model


methods: Registry[TuneMethod] = Registry("tuning method", package=__name__)


def method_of_adapter(peft_type: object) -> type[TuneMethod] | None:
    """A method whose adapters say that they are of this type."""
    known = (method for method in methods.values() if method.peft_type == peft_type)
    return next(known, None) if peft_type else None
