"""Shapes that datasets come in, one module each. This file is their contract.

A format's fields are the names of the columns it reads: choosing a format and filling in its
fields *is* mapping the columns of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.rows.column_templates import columns_in
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem, Turn

__all__ = [
    "DataFormat",
    "Fields",
    "formats",
    "messages_of",
    "option_field",
    "recognise",
    "stored_format",
    "talk_of",
    "text_column",
]

Fields = StoredExample


def messages_of(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """`turns` as the fields of messages; a system's turn without text is left out."""
    return [
        {"role": role, "content": content}
        if weight is None
        else {"role": role, "content": content, "weight": float(weight)}
        for role, content, weight in turns
        if content or role != "system"
    ]


def conversation_of(turns: Sequence[Turn]) -> Fields:
    """`turns` as the fields of a conversation."""
    return {"messages": messages_of(turns)}


def text_column(default: str | None, *, title: str, description: str) -> Any:
    """A field for a column that is read as a text: a template over columns may stand there."""
    return Field(default, title=title, description=description, json_schema_extra={"is_text": True})


def option_field(default: Any, *, title: str, description: str) -> Any:
    """A field that is no column: it says how cells are written."""
    return Field(
        default, title=title, description=description, json_schema_extra={"is_option": True}
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

    def unfolder(self) -> Callable[[Row], Sequence[Row]]:
        """What makes rows of a file's records: one of each, where a format says nothing else.

        Each reading of a file asks for a new one, as it may remember records. It gives a row at
        least, if only one that `check` refuses: what gave none would be missing in every count.
        """
        return one_row

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self | None:
        """The format as it reads stored examples of its class; None where another one does.

        `columns` are all that occur: what an example may lack is not stored.
        """
        return None

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads; of a template, those that it names."""
        options = self.model_dump(
            exclude={"name", *self.option_fields()}, exclude_none=True
        ).values()
        values = [value for one in options for value in ([one] if isinstance(one, str) else one)]
        return frozenset(name for value in values for name in columns_in(value) or (value,))

    @classmethod
    def option_fields(cls) -> frozenset[str]:
        """The fields that are no columns."""
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
