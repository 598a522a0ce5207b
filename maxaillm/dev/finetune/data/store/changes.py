"""Changes of stored rows: other texts, labels or turns; the same row where nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from maxaillm.dev.finetune.data.columns import Piece, StoredExample
from maxaillm.dev.finetune.data.columns.messages import MessagesColumn
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.rows.values import RowProblem


def with_texts(
    kind: type[Example], example: StoredExample, change: Callable[[Piece], str]
) -> StoredExample:
    """`example` with each of its texts as `change` gives it, told as `kind.pieces_of` does.

    Words with a tag each are given one by one; one that would be left empty stays.
    """
    columns = kind.text_columns()
    own = (column for column in columns if column.name in example)
    return with_fields(example, {column.name: column.changed(example, change) for column in own})


def with_labels(
    kind: type[Example], example: StoredExample, change: Callable[[str], str]
) -> StoredExample:
    """`example` with its classes, or the tags of its words, as `change` gives them."""
    columns = kind.target_columns()
    return with_fields(
        example, {column.name: column.renamed(example, change) for column in columns}
    )


def with_system(kind: type[Example], example: StoredExample, prompt: str) -> StoredExample:
    """A conversation that `prompt` opens instead of its system's turn; "" opens with none."""
    name = opening_of(kind)
    if name is None:
        return example
    turns: list[dict[str, Any]] = example[name]
    rest = [turn for turn in turns if turn["role"] != "system"]
    opening = [{"role": "system", "content": prompt}] if prompt else []
    return with_fields(example, {name: opening + rest}) if rest else example


def with_turns(
    kind: type[Example], example: StoredExample, change: Callable[[list[Any]], list[Any]]
) -> StoredExample:
    """A conversation with its turns, those of a prompt, as `change` gives them."""
    name = opening_of(kind)
    return with_fields(example, {name: change(example[name])}) if name is not None else example


def has_system(kind: type[Example], example: StoredExample) -> bool:
    name = opening_of(kind)
    return name is not None and any(turn["role"] == "system" for turn in example[name])


def opening_of(kind: type[Example]) -> str | None:
    """The field with the turns that a conversation begins with; None where it is none."""
    turns = kind.columns_of(MessagesColumn)
    return turns[0].name if turns else None


def with_fields(example: StoredExample, changed: StoredExample) -> StoredExample:
    if all(example[name] == value for name, value in changed.items()):
        return example
    return example | changed


def problem_of_stored(kind: type[Example], example: StoredExample) -> RowProblem | None:
    """Why this row of the class `kind` can't be trained on, or None."""
    for own in readers_of(kind, frozenset(example)):
        return own.check(example)
    raise TypeError(f"no format reads stored rows of {kind.__name__}")


@cache
def readers_of(kind: type[Example], columns: frozenset[str]) -> list[DataFormat]:
    """The formats that read stored rows of `kind` with these columns."""
    found = (cls.of_stored(columns) for cls in formats.values() if cls.gives is kind)
    return [own for own in found if own is not None]
