"""Shapes that data sets come in, one module each. This file is their contract.

A format's fields are the names of the columns it reads: choosing a format and filling in its
fields *is* mapping the columns of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.cells import Role, Row, RowProblem, Turn
from maxaillm.dev.finetune.registry import Component, Registry
from maxaillm.dev.finetune.splits import Split

__all__ = [
    "Conversation",
    "DataFormat",
    "Example",
    "Labelled",
    "Message",
    "Role",
    "Row",
    "RowProblem",
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
    """A text and its class."""

    text: str
    label: str


Example = Conversation | Text | Labelled
"""What every format turns its rows into. `model_dump(exclude_none=True)` is the stored row:
the formats `messages`, `text` and `classification` read it back."""


class DataFormat(Component, ABC):
    """A way to write examples down; its fields name the columns."""

    summary: ClassVar[str]
    """One sentence with the keys, for a person who chooses between formats."""
    gives: ClassVar[type[BaseModel]]
    """Conversation, Text or Labelled."""

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
