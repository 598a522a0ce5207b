"""Kinds of examples, one module each: what formats make of rows. This file is their contract.

A kind is a class whose fields say which column they are (`columns/`): that is how its rows are
stored, searched, counted, checked, shown and fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.components.registry import Registry
from maxaillm.dev.finetune.data.columns import (
    Column,
    Piece,
    StoredExample,
    TargetColumn,
    TextColumn,
)
from maxaillm.dev.finetune.data.rows.splits import Split

__all__ = ["Example", "StoredExample", "example_kinds"]

C = TypeVar("C", bound=Column)


class Example(BaseModel):
    """What all examples have: the split that the file put them in, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    plural: ClassVar[str]
    """What its rows are called, in the middle of a sentence."""
    tasks: ClassVar[Mapping[str, tuple[str, ...]]]
    """The tasks that learn from it, and which metrics each is measured by where nobody names any.

    Of several it is the first one that the architecture of a model is made for, else the last.
    """
    targets: ClassVar[Literal["class", "classes", "number"]] = "class"
    """What is to be found: one of some classes, or of all tokens; several of them; a number."""
    has_answers: ClassVar[bool] = False
    """Whether a row asks something and holds the answer to learn."""
    former_names: ClassVar[tuple[str, ...]] = ()
    """What the class was called in releases that stored rows: they are still read."""
    split: Split | None = None

    @classmethod
    @cache
    def text_columns(cls) -> tuple[TextColumn, ...]:
        """The columns with texts, in the order in which a model reads them."""
        return tuple(column for column in declared(cls) if isinstance(column, TextColumn))

    @classmethod
    @cache
    def target_columns(cls) -> tuple[TargetColumn, ...]:
        """The columns with labels and scores."""
        return tuple(column for column in declared(cls) if isinstance(column, TargetColumn))

    @classmethod
    def columns_of(cls, type_: type[C]) -> tuple[C, ...]:
        """The columns of one type, such as `turns.AnswerColumn`."""
        return tuple(column for column in declared(cls) if isinstance(column, type_))

    @classmethod
    def pieces_of(cls, example: StoredExample) -> Iterator[Piece]:
        """The texts of a row, in the order in which a model reads them."""
        for column in cls.text_columns():
            yield from column.pieces(example)

    @classmethod
    def labels_of(cls, example: StoredExample) -> list[str]:
        """The classes of a row, and the tags of its words, each once."""
        return labels_in(cls.target_columns(), example)

    @classmethod
    def classes_of(cls, example: StoredExample) -> list[str]:
        """The classes of a row as a whole."""
        targets = cls.target_columns()
        return labels_in([column for column in targets if not column.of_words], example)


def labels_in(columns: Sequence[TargetColumn], example: StoredExample) -> list[str]:
    return list(dict.fromkeys(label for own in columns for label in own.labels(example)))


def declared(kind: type[Example]) -> Iterator[Column]:
    """The columns of a kind. Raises TypeError for a field that does not say which one it is."""
    for name, info in kind.model_fields.items():
        column = next((note for note in info.metadata if isinstance(note, Column)), None)
        if column is not None:
            yield column.named(name)
        elif name not in Example.model_fields:
            raise TypeError(f"{kind.__name__}.{name} does not say which column it is (columns/)")


class ExampleKinds(Registry[Example]):
    """The kinds by the names of their classes, which are stored with rows and statistics."""

    def name_of(self, cls: type[Example]) -> str:
        if not cls.text_columns():
            raise TypeError(f"{cls.__name__} has no column with texts (columns/)")
        if not cls.tasks:
            raise TypeError(f"{cls.__name__} names no task that learns from it (tasks/)")
        return cls.__name__

    def stored_as(self, name: str) -> type[Example] | None:
        """The kind that has this name, or had it in an earlier release; None: none is known."""
        if name in self:
            return self[name]
        return next((kind for kind in self.values() if name in kind.former_names), None)


example_kinds = ExampleKinds("kind of example", package=__name__)
