"""Tasks as transformers carries them out, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import ConfigError, ModelError, Problem
from maxaillm.dev.finetune.hf.batches.collate import Collator, Sequences
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder
from maxaillm.dev.finetune.hf.loading import Opened, first_and_more
from maxaillm.dev.finetune.hf.loading.packing_probe import keeps_rows_apart
from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.metrics import Answered, TokenLoss
from maxaillm.dev.finetune.model_files.card import TaskCard
from maxaillm.dev.finetune.tasks import TASKS, kinds_for

Examples = Callable[[], Iterable[Example]]
Objective = Callable[[nn.Module, dict[str, Any], Tensor], Tensor]
"""(model, inputs, labels) -> the loss summed over what is learned in the batch."""


class Observed(NamedTuple):
    """What a model makes of held-out rows."""

    losses: list[TokenLoss]
    """Of each row."""
    predictions: list[Any]
    """Of each row, where the task predicts classes or numbers: what metrics are made of."""


class Stream(NamedTuple):
    """Tokens that lie side by side before the model, for a person to look at."""

    title: str
    ids: Sequence[int]
    learned: Sequence[bool]
    words: Sequence[str] = ()
    """What is to be said of each token, where tokens have classes; empty: nothing."""
    said: str = ""
    """What is to be said of the whole."""


class ModelTask(ABC):
    """A task with one model. What it keeps is found out by `survey` before the model is opened."""

    name: ClassVar[str]
    auto_class: ClassVar[Any]
    """The class of transformers that opens the model with the head that the task needs."""
    new_head: ClassVar[bool] = False
    """Whether the task makes a head of its own where the model has none."""
    aligned: ClassVar[bool] = True
    """Whether labels lie at the tokens that the model sees."""
    answers: ClassVar[bool] = False
    """Whether the model answers in words."""
    one_answer_a_row: ClassVar[bool] = True
    """Whether a row ends where an answer that is learned ends."""
    learns_tokens: ClassVar[bool] = True
    """Whether labels are tokens, or say something of them; else of the whole row."""
    trainer: ClassVar[str] = "objective"
    """The module of `hf.training.trainers` that makes the steps of a run."""
    remark: ClassVar[str] = ""
    """What is not seen from a row alone."""

    def __init__(self, config: RunConfig, kind: type[Example] | None = None) -> None:
        """`kind`: what the dataset holds, where it is known."""
        self.config, self.kind = config, kind or kinds_for(self.name)[0]

    @property
    def packs(self) -> bool:
        return TASKS[self.name].packs

    def keeps_rows_apart(self, model: PreTrainedModel) -> bool:
        """Whether packing is exact with a model: a packed row gets what it gets alone."""
        return keeps_rows_apart(model)

    def under(self, config: RunConfig) -> Self:
        """The same task, as surveyed, under another configuration."""
        other = copy(self)
        other.config = config
        return other

    def survey(self, examples: Examples, settings: Mapping[str, Any]) -> None:  # noqa: B027
        """Learn from the examples what the model has to be made for. Most tasks need nothing."""

    def recall(self, card: TaskCard) -> None:  # noqa: B027
        """Know again what a saved model was tuned for, as `survey` once found out."""

    def check_model(self, name: str, settings: Mapping[str, Any]) -> None:
        """Raises ModelError where a model can't do this task."""
        model_type = str(settings.get("model_type", ""))
        if serves(self.auto_class, model_type):
            return
        raise ModelError(
            f"{name} is a {model_type or 'model of no known type'}: it can't be used for "
            f"{self.name}.",
            "Choose another model, or leave the task out: it is then chosen by the data.",
        )

    def check_weights(self, name: str, opened: Opened) -> None:
        """Raises ModelError where weights are missing that the task does not make anew."""
        missing = opened.in_body(opened.fresh) if self.new_head else opened.fresh
        if missing:
            raise ModelError(
                f"{name} lacks weights, or has them in another size than its config.json says: "
                f"{first_and_more(missing)}.",
                "The folder is incomplete, or the model is for another task.",
            )

    def model_options(self) -> dict[str, Any]:
        """What `from_pretrained` is told besides."""
        return {}

    def prepare_model(self, model: PreTrainedModel, tokenizer: Tokenizer) -> None:  # noqa: B027
        """Settings that the task needs of an opened model."""

    @abstractmethod
    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        """What turns examples into rows."""

    def streams(self, row: Tokens) -> list[Stream]:
        """What the model sees of a row, and what it learns of that."""
        return [Stream("", row.ids, [label != IGNORED for label in row.labels])]

    def collator(self, rows: Rows, tokenizer: Tokenizer, *, packed: bool = False) -> Collator:
        """What turns rows into batches."""
        return Collator(rows, int(tokenizer.pad_token_id or 0), packed=packed)

    @property
    def own_loss(self) -> TargetLoss:
        """What training minimises unless the configuration says otherwise; `eval_loss`, too."""
        from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy

        return CrossEntropy()

    def training_loss(self, rows: Rows) -> TargetLoss:
        """The configuration's loss, ready for these rows, else the task's own.

        Raises ConfigError where the loss is for another kind of target.
        """
        chosen, own = self.config.training.loss, self.own_loss
        if chosen is None:
            return own
        if isinstance(chosen, TargetLoss) and chosen.targets == own.targets:
            return chosen
        serving = [name for name, loss in losses.items() if self.name in loss.tasks]
        message = f"{chosen.name} does not serve {self.name} on these rows."
        raise ConfigError([Problem("training.loss.name", message, chosen.name, ", ".join(serving))])

    @abstractmethod
    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        """What training minimises; a plain output head computes in `dtype`."""

    @abstractmethod
    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        """What the model, which is in evaluation mode, makes of each row."""

    def answer(self, model: Any, rows: Rows, tokenizer: Tokenizer) -> list[Answered]:
        """Answers to rows that ask something; none where the task has no words."""
        return []

    @abstractmethod
    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        """What the model, which is in evaluation mode, makes of a text, for a person to read."""


def serves(auto_class: Any, model_type: str) -> bool:
    """Whether it opens models of a type. To list all types would import each of them."""
    return model_type in CONFIG_MAPPING and CONFIG_MAPPING[model_type] in auto_class._model_mapping


def model_task(name: str) -> type[ModelTask]:
    """The class that carries out the task `name`."""
    module = import_module(f"{__name__}.{name}")
    found: type[ModelTask] = module.TASK
    return found
