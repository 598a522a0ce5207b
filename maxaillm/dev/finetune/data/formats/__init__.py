"""Shapes that datasets come in, one module each. This file is their contract.

A format's fields are the names of the columns it reads: choosing a format and filling in its
fields *is* mapping the columns of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.rows.column_templates import columns_in
from maxaillm.dev.finetune.data.rows.messages import messages_of
from maxaillm.dev.finetune.data.rows.tool_calls import tools_of
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
)

__all__ = [
    "DataFormat",
    "Fields",
    "formats",
    "option_field",
    "recognise",
    "stored_format",
    "text_column",
]

Fields = StoredExample


def conversation_of(turns: Sequence[Turn], tools: str | None = None) -> Fields:
    """`turns` as the fields of a conversation, with the tools that may be called in it."""
    return {"messages": messages_of(turns)} | with_tools(tools)


def with_tools(tools: str | None) -> Fields:
    return {"tools": tools} if tools else {}


def text_column(default: str | None, *, title: str, description: str) -> Any:
    """A field for a column that is read as a text: a template over columns may stand there."""
    return Field(default, title=title, description=description, json_schema_extra={"is_text": True})


def option_field(default: Any, *, title: str, description: str) -> Any:
    """A field that is no column: it says how cells are written."""
    return Field(
        default, title=title, description=description, json_schema_extra={"is_option": True}
    )


def tools_field() -> Any:
    """A field for the column with the tools that may be called."""
    return Field(
        None,
        title="Tools",
        description="The tools that the model may call: a list of functions, as OpenAI has them, "
        "or the JSON of one. They reach the model's chat template.",
    )


def tools_column(sample: Sequence[Row]) -> str | None:
    """The column with tools, where there is one that mostly holds such."""
    present = columns_by_name(sample)
    name = present.get("tools") or present.get("functions")
    if name is None or not any(row.get(name) for row in sample):
        return None
    are_tools = is_mostly(sample, lambda row: not isinstance(tools_of(row.get(name)), RowProblem))
    return name if are_tools else None


def system_column(sample: Sequence[Row]) -> str | None:
    """The column with the system prompt of a chat, where one holds texts."""
    present = columns_by_name(sample)
    name = present.get("system") or present.get("system_prompt")
    cells = [row[name] for row in sample if row.get(name) is not None] if name else []
    return (
        name if cells and sum(isinstance(cell, str) for cell in cells) * 2 >= len(cells) else None
    )


class DataFormat(Component, ABC):
    """A way to write examples down; its fields name the columns.

    Where a text is read, a field may hold a template over columns instead, such as
    `{title}\\n\\n{body}`.
    """

    summary: ClassVar[str]
    """One sentence with the keys, for a person who chooses between formats."""
    gives: ClassVar[type[Example]]
    """The class of its examples."""
    asked: ClassVar[str] = ""
    """What the owner is asked where the columns may be meant in several ways."""
    is_usual: ClassVar[bool] = False
    """Whether a page offers it among the first."""

    @classmethod
    @abstractmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """The format with its columns filled in where `sample` is written in it, else None."""

    @abstractmethod
    def check(self, row: Row) -> RowProblem | None:
        """Why this row can't be trained on, or None."""

    @abstractmethod
    def to_fields(self, row: Row) -> Fields:
        """The example of a row that `check` found nothing wrong with, as it is stored.

        Whoever reads a million rows takes them like this: to make objects of them, and have
        each looked at once more, takes five times as long.
        """

    def to_example(self, row: Row) -> Example:
        return self.gives.model_validate(self.to_fields(row))

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        """What makes rows of a file's records: one of each, where a format says nothing else.

        Each reading of a file asks for a new one, as it may remember records. It gives a row at
        least, if only one that `check` refuses: what gave none would be missing in every count.
        One after the other: a record may have more rows than memory holds.
        """
        return one_row

    def other_readings(self, sample: Sequence[Row]) -> Sequence[Self]:
        """Other ways to read the same columns, where only the owner can tell which is meant."""
        return ()

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self | None:
        """The format as it reads stored examples of its class; None where another one does.

        `columns` are all that occur: what an example may lack is not stored.
        """
        return None

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads; of a template, those that it names."""
        options = self.model_dump(exclude={"name", *self.no_columns()}, exclude_none=True).values()
        values = [value for one in options for value in ([one] if isinstance(one, str) else one)]
        return frozenset(name for value in values for name in columns_in(value) or (value,))

    def reads(self) -> Mapping[str, Unread | None]:
        """The columns it reads; for one with objects in it, what finds their keys that it does
        not read. Reading a file names all else that rows hold: nothing is lost without a word."""
        return dict.fromkeys(self.columns)

    @classmethod
    def meanings(cls) -> frozenset[str]:
        """The fields that say how what the columns hold is meant: the owner is asked."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return frozenset(
            name for name, extra in extras.items() if isinstance(extra, dict) and "labels" in extra
        )

    @classmethod
    def no_columns(cls) -> frozenset[str]:
        """The fields that name no column."""
        return cls.meanings() | cls.option_fields()

    @classmethod
    def option_fields(cls) -> frozenset[str]:
        """The fields that say how cells are written."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return frozenset(name for name, extra in extras.items() if extra == {"is_option": True})

    @classmethod
    def text_fields(cls) -> frozenset[str]:
        """The fields that take a template."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return frozenset(name for name, extra in extras.items() if extra == {"is_text": True})


def one_row(record: Row) -> Sequence[Row]:
    return (record,)


formats: Registry[DataFormat] = Registry("dataset format", package=__name__)


def recognise(sample: Sequence[Row]) -> list[DataFormat]:
    """The formats that `sample` may be written in.

    One is the answer; several tie, and only the owner of the data can tell; none asks for a
    mapping. Of two formats of which one reads all columns of the other, it is the richer one.
    """
    found = [match for cls in formats.values() if (match := cls.recognise(sample)) is not None]
    return [match for match in found if not any(match.columns < other.columns for other in found)]


def stored_format(sample: Sequence[Row]) -> DataFormat | None:
    """The format of rows that are examples as they were stored, else None.

    Their keys and types tell it, whatever the values look like: a label may well be "0.5".
    """
    columns = {name for row in sample for name in row}
    for cls in formats.values():
        own = cls.of_stored(columns)
        if own is not None and sample and all(is_stored(row, cls.gives) for row in sample):
            return own
    return None


def is_stored(row: Row, example_class: type[Example]) -> bool:
    try:
        example_class.model_validate(row, strict=True)
    except ValidationError:
        return False
    return True
