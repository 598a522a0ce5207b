"""Ways to tune a model, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.embeddings import listed
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
    tokens: Sequence[int] = ()
    """Tokens of these rows that the base never trained, or got only now: their rows of the
    embeddings are to be trained too, where the method can."""


class TokenNote(NamedTuple):
    """What a user is told of tokens that the base never trained."""

    level: str
    """`warn` where they stay as they are."""
    message: str
    hint: str


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
    trains_rows: ClassVar[bool] = False
    """Whether single rows of the embeddings can be trained beside what is trained."""
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
    def makes_whole(self) -> bool:
        """Whether what it makes is a whole model, or can be merged into one: to tune further."""
        return self.merges or not self.keeps_base

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

    def learns_tokens(self, base: ModelShapes) -> bool:
        """Whether tokens that the base never trained can be learned."""
        return False

    def note_on_tokens(
        self, base: ModelShapes, tokens: Sequence[str], ends: Sequence[str]
    ) -> TokenNote | None:
        """What becomes of `tokens` that the base never trained; `ends` are those that end an
        answer. None where nothing is to be said."""
        if not tokens or (not self.keeps_base and self.learns_tokens(base)):
            return None
        found = f"{len(tokens):,} token{'s' * (len(tokens) > 1)}"
        message = f"The base never trained {found} of these rows: {listed(tokens)}."
        if self.learns_tokens(base):
            message += f" {self.label} trains their rows of the embeddings too."
            return TokenNote("", message, "They are saved with the adapter and merged with it.")
        message += f" {self.label} leaves their embeddings as they are, so they can't be learned."
        if any(token in ends for token in tokens):
            message += " Answers will not end."
        return TokenNote("warn", message, HOW_TO_LEARN.format(", ".join(row_trainers())))

    def count_rows(self, base: ModelShapes, tokens: int) -> int:
        """How many parameters are trained of the rows that so many tokens have."""
        return 0

    def require_learning(self, base: ModelShapes, new: Sequence[str]) -> None:
        """Raises ModelError where `new` tokens, whose rows of the embeddings mean nothing yet,
        could not be learned."""
        if new and not self.learns_tokens(base):
            raise ModelError(
                f"The tokenizer has {len(new):,} more tokens than the model has rows: "
                f"{listed(new)}. {self.label} can't train the rows that they need.",
                HOW_TO_LEARN.format(", ".join(row_trainers())),
            )

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


HOW_TO_LEARN = "Choose one of {}; or full."


def row_trainers() -> list[str]:
    """The methods that can train single rows of embeddings."""
    return [name for name, cls in methods.items() if cls.trains_rows]


def method_of_adapter(peft_type: object) -> type[TuneMethod] | None:
    """A method whose adapters say that they are of this type."""
    known = (method for method in methods.values() if method.peft_type == peft_type)
    return next(known, None) if peft_type else None
