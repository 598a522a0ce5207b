"""Batch: some thousand rows at once, as Python values and as columns of Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.data.columns import StoredExample, Texts
from maxaillm.dev.finetune.data.columns.messages import CALL
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.store.schema import NUMBER, schema_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

ITEM_CHARS = 32
"""So many characters of text take about as much memory as what each turn or word has besides."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of one kind that follow each other in a dataset."""

    kind: type[Example]
    numbers: Sequence[int]
    examples: Sequence[StoredExample]

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def table(self) -> pa.Table:
        """The rows as they are stored: the columns of `schema.schema_of`."""
        import pyarrow as pa

        schema = schema_of(self.kind)
        columns = [
            self.numbers if name == NUMBER else [example.get(name) for example in self.examples]
            for name in schema.names
        ]
        arrays = [
            pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
        ]
        return pa.table(arrays, schema=schema)

    @cached_property
    def texts(self) -> Texts:
        """What to search in: one Arrow array for all texts of all rows."""
        return Texts.joined([own.texts(self.table) for own in self.kind.text_columns()])

    @cached_property
    def is_output(self) -> npt.NDArray[np.bool_]:
        """For each text whether it is prose that a model learns to write: no call of a tool."""
        import pyarrow.compute as pc

        is_prose: npt.NDArray[np.bool_] = pc.not_equal(self.texts.parts, CALL).to_numpy(
            zero_copy_only=False
        )
        return self.texts.is_learned & self.texts.is_wanted & is_prose

    @cached_property
    def is_answer(self) -> npt.NDArray[np.bool_]:
        """For each text whether it is an answer that a model learns to give."""
        import pyarrow.compute as pc

        by_assistant = pc.equal(self.texts.parts, "assistant").to_numpy(zero_copy_only=False)
        is_answer: npt.NDArray[np.bool_] = by_assistant & self.is_output
        return is_answer

    @cached_property
    def labels(self) -> list[list[str]]:
        """For each row the classes it is one of, each once."""
        if not self.kind.target_columns():
            return [[]] * len(self)
        return list(map(self.kind.labels_of, self.examples))

    @cached_property
    def splits(self) -> list[str]:
        """For each row the part of the dataset it belongs to; "train" where it names none."""
        return [example.get("split", "train") for example in self.examples]


def chars_of(example: StoredExample) -> int:
    """How many characters the texts of a stored row have."""
    chars = 0
    for value in example.values():
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, list):
            for item in value:
                chars += len(item) if isinstance(item, str) else chars_of_turn(item)
    return chars


def chars_of_turn(turn: Mapping[str, Any]) -> int:
    chars = len(turn["content"])
    if len(turn) > 2:
        chars += len(turn.get("reasoning", ""))
        calls = turn.get("tool_calls", ())
        chars += sum(len(call["name"]) + len(call["arguments"]) for call in calls)
    return chars


def weight_of(example: StoredExample) -> int:
    """What the row takes in memory, in characters; a turn or word of a letter is more than one."""
    weight = chars_of(example)
    for value in example.values():
        if isinstance(value, list):
            weight += ITEM_CHARS * len(value)
    return weight


def stored(example: Example) -> StoredExample:
    """`example` as it is stored."""
    return example.model_dump(exclude_none=True)
