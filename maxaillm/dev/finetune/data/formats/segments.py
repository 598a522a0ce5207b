"""Axolotl's template-free rows: segments of text, each learned or only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    turn_problem,
    wrong_type,
)


@formats.register
class SegmentsFormat(DataFormat):
    """A text in segments. What is only read is the user's turn, what is learned the assistant's:
    the same is learned from the same, between the marks of the model's own template."""

    label: ClassVar[str] = "Segments"
    summary: ClassVar[str] = "segments: a list of {label, text}, label true where it is learned."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["segments"] = "segments"
    segments: str = Field(
        "segments",
        title="Segments",
        description="A list of objects: label (true: learned) and text. The first one is read, "
        "the last one learned.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = columns_by_name(sample).get("segments")
        if column is None or not is_mostly(sample, lambda row: are_segments(row.get(column))):
            return None
        return cls(segments=column)

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.segments, "a list of segments")
        if problem is not None:
            return problem
        for number, segment in enumerate(items_of(row[self.segments]) or (), start=1):
            if not isinstance(segment, dict):
                return wrong_type(f"segment {number}", segment, "an object")
            if not isinstance(segment.get("text"), str):
                return wrong_type(f"text of segment {number}", segment.get("text"))
            if not isinstance(segment.get("label"), bool):
                return wrong_type(f"label of segment {number}", segment.get("label"), "true, false")
        turns = self.turns(row)
        if turns[0].role == "assistant":
            message = "The first segment is learned: there is nothing that it answers."
            fix = "Begin with a segment whose label is false, or upload the rows as text."
            return RowProblem("no_prompt", message, fix)
        return turn_problem(turns)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.segments: only("label", "text")}

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        """Neighbours of one kind are one turn."""
        runs = groupby(items_of(row[self.segments]) or (), key=lambda segment: segment["label"])
        return [
            Turn("assistant" if is_learned else "user", "".join(part["text"] for part in parts))
            for is_learned, parts in runs
        ]


def are_segments(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and items[0].keys() >= {"label", "text"}
