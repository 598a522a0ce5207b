"""Shapes that data sets come in, one module each. This file is their contract.

A format's fields are the names of the columns it reads: choosing a format and filling in its
fields *is* mapping the columns of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, FiniteFloat

from maxaillm.dev.finetune.cells import Role, Row, RowProblem, Turn
from maxaillm.dev.finetune.registry import Component, Registry
from maxaillm.dev.finetune.splits import Split

__all__ = [
    "Conversation",
    "DataFormat",
    "Example",
    "Judged",
    "Labelled",
    "Message",
    "MultiLabelled",
    "Preference",
    "Role",
    "Row",
    "RowProblem",
    "Scored",
    "Tagged",
    "Text",
    "formats",
    "recognise",
]


class Message(BaseModel):
    """One turn of a conversation. `weight` 0 keeps an assistant's turn out of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    content: str
    weight: float | None = None


class Part(BaseModel):
    """What all examples have: the part of the data set that the file put them in, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    split: Split | None = None


class Conversation(Part):
    """Turns that end with an assistant's; what it says is what is learned."""

    messages: list[Message]

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> Conversation:
        """The conversation of `turns`; a system's turn without text is left out."""
        messages = [
            {"role": role, "content": content, "weight": weight}
            for role, content, weight in turns
            if content or role != "system"
        ]
        return cls.model_validate({"messages": messages})  # in one go: a third of the time


class Text(Part):
    """A document; every token is learned."""

    text: str


class Labelled(Part):
    """A text and its class; `pair` is the second text where two are judged together."""

    text: str
    label: str
    pair: str | None = None


class MultiLabelled(Part):
    """A text and its classes: several at once, or none."""

    text: str
    labels: list[str]
    pair: str | None = None


class Scored(Part):
    """A text and the number that it is worth; `pair` as in `Labelled`."""

    text: str
    score: FiniteFloat
    pair: str | None = None


class Tagged(Part):
    """The words of a text, a tag each: IOB2 (B-PER, I-PER, O) or plain (NOUN, VERB)."""

    tokens: list[str]
    tags: list[str]


class Preference(Part):
    """A prompt, and two ways that it may go on, of which one is the better."""

    messages: list[Message]
    chosen: list[Message]
    rejected: list[Message]


class Judged(Part):
    """A prompt and a way that it goes on, which is as it should be or not."""

    messages: list[Message]
    completion: list[Message]
    desirable: bool


Example = Conversation | Text | Labelled | MultiLabelled | Scored | Tagged | Preference | Judged
"""What every format turns its rows into. `model_dump(exclude_none=True)` is the stored row:
one of the formats that give a class reads its stored rows back."""


class DataFormat(Component, ABC):
    """A way to write examples down; its fields name the columns."""

    summary: ClassVar[str]
    """One sentence with the keys, for a person who chooses between formats."""
    gives: ClassVar[type[BaseModel]]
    """The class of its examples."""

    @classmethod
    @abstractmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """The format with its columns filled in where `sample` is written in it, else None."""

    @abstractmethod
    def check(self, row: Row) -> RowProblem | None:
        """Why this row can't be trained on, or None."""

    @abstractmethod
    def to_example(self, row: Row) -> Example:
        """The example of a row that `check` found nothing wrong with."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads."""
        options = self.model_dump(exclude={"name"}, exclude_none=True)
        return frozenset(options.values())


formats: Registry[DataFormat] = Registry("dataset format", package=__name__)


def recognise(sample: Sequence[Row]) -> list[DataFormat]:
    """The formats that `sample` may be written in.

    One is the answer; several tie, and only the owner of the data can tell; none asks for a
    mapping. Of two formats of which one reads all columns of the other, it is the richer one.
    """
    found = [match for cls in formats.values() if (match := cls.recognise(sample)) is not None]
    return [match for match in found if not any(match.columns < other.columns for other in found)]
