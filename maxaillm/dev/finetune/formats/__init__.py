"""Shapes that data sets come in, one module each. This file is their contract.

A format's fields are the names of the columns it reads: choosing a format and filling in its
fields *is* mapping the columns of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.registry import Component, Registry

Row = Mapping[str, Any]
"""One record of a file: column name -> value, as parsed."""

Role = Literal["system", "user", "assistant", "tool"]


class Message(BaseModel):
    """One turn of a conversation. `weight` 0 keeps an assistant's turn out of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    content: str
    weight: float | None = None


class Conversation(BaseModel):
    """Turns that end with an assistant's; what it says is what is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    messages: Sequence[Message]


class Text(BaseModel):
    """A document; every token is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str


class Labelled(BaseModel):
    """A text and its class."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    label: str


Example = Conversation | Text | Labelled
"""What every format turns its rows into. `model_dump(exclude_none=True)` is the stored row:
the formats `messages`, `text` and `classification` read it back."""


class RowProblem(NamedTuple):
    """What is wrong with a row; a row with a problem is not trained on."""

    code: str
    message: str
    fix: str = ""


class DataFormat(Component, ABC):
    """A way to write examples down; its fields name the columns."""

    summary: ClassVar[str]
    """One sentence with the keys, for a person who chooses between formats."""
    gives: ClassVar[type[BaseModel]]
    """Conversation, Text or Labelled."""

    @classmethod
    @abstractmethod
    def recognise(cls, sample: Sequence[Row]) -> DataFormat | None:
        """The format with its columns filled in where `sample` is written in it, else None."""

    @abstractmethod
    def check(self, row: Row) -> RowProblem | None:
        """Why this row can't be trained on, or None."""

    @abstractmethod
    def to_example(self, row: Row) -> Example:
        """The example of a row that `check` found nothing wrong with."""


formats: Registry[DataFormat] = Registry("dataset format", package=__name__)
