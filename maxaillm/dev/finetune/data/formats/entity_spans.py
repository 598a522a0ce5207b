"""Entities as spans of a text: spaCy, doccano, Prodigy, Label Studio's short export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats
from maxaillm.dev.finetune.data.rows.spans import (
    span_of,
    spans_problem,
    tagged_words,
    unread_in_spans,
)
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    items_of,
    text_columns,
    text_problem,
    wrong_type,
)

TEXTS = ("text", "content", "sentence", "document", "data")
SPANS = ("entities", "spans", "ner", "label", "labels", "annotations")


@formats.register
class EntitySpansFormat(DataFormat):
    """A text, and from where to where in it something of a kind stands."""

    label: ClassVar[str] = "Entities as spans"
    summary: ClassVar[str] = "text and entities: a list of {start, end, label}."
    gives: ClassVar[type[Example]] = TokenLabels

    name: Literal["entity_spans"] = "entity_spans"
    text: str = Field("text", title="Text", description="What the places are counted in.")
    spans: str = Field(
        "entities",
        title="Entities",
        description="A list of start, end and label each; characters are counted from 0, the end "
        "is the first character behind. Words get B- and I- tags.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts, present = text_columns(sample), columns_by_name(sample)
        text = next((texts[name] for name in TEXTS if name in texts), None)
        spans = next(
            (
                present[name]
                for name in SPANS
                if name in present and has_spans(sample, present[name])
            ),
            None,
        )
        return cls(text=text, spans=spans) if text is not None and spans is not None else None

    def check(self, row: Row) -> RowProblem | None:
        problem = text_problem(row, self.text)
        if problem is not None:
            return problem
        items = items_of(row.get(self.spans))
        if items is None:
            return wrong_type(self.spans, row.get(self.spans), "a list of entities")
        return spans_problem(row[self.text], items)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.spans: unread_in_spans}

    def to_fields(self, row: Row) -> Fields:
        tokens, tags = tagged_words(row[self.text], items_of(row[self.spans]) or [])
        return {"tokens": tokens, "tags": tags}


def has_spans(sample: Sequence[Row], column: str) -> bool:
    """Whether the column holds lists whose items mostly are spans; many may be empty."""
    lists = [items_of(row.get(column)) for row in sample]
    items: list[Any] = [item for each in lists for item in each or ()]
    is_list = 2 * sum(each is not None for each in lists) >= len(lists)
    return is_list and bool(items) and 2 * sum(map(is_span, items)) >= len(items)


def is_span(item: Any) -> bool:
    return span_of(item) is not None
