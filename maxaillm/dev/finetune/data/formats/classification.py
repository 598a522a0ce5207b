"""Classification: a text and its label."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.labels.lists import separator_of
from maxaillm.dev.finetune.data.rows.labels.texts import (
    are_labels,
    find_texts,
    label_of,
    texts_in,
    texts_problem,
)
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    is_blank,
    is_mostly,
    items_of,
    wrong_type,
)

LABELS = ("label", "target", "category", "class", "intent", "sentiment", "gold_label")
GRADES = ("score", "rating", "stars")
"""Whole numbers under these names may be classes or amounts: the owner is asked."""


@formats.register
class ClassificationFormat(DataFormat):
    """A text, or a pair of texts, and the class it belongs to."""

    label: ClassVar[str] = "Classification"
    summary: ClassVar[str] = "text (or two that are compared) and label in each row."
    gives: ClassVar[type[Example]] = Classification
    is_usual: ClassVar[bool] = True

    name: Literal["classification"] = "classification"
    text: str = text_column("text", title="Text", description="What is to be classified.")
    target: str = Field("label", title="Label", description="The class: a word or a number.")
    pair: str | None = text_column(
        None, title="Second text", description="Where two texts are compared."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = find_texts(sample)
        present = columns_by_name(sample)
        target = next((present[name] for name in (*LABELS, *GRADES) if name in present), None)
        if texts is None or target is None or not are_labels(sample, target):
            return None
        if is_mostly(sample, lambda row: items_of(row.get(target)) is not None):
            return None
        divider = separator_of(sample, target)
        if divider is not None and divider.is_sure:
            return None  # the cells are combinations of labels
        text, pair = texts
        return cls(text=text, pair=pair, target=target)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(pair="pair" if "pair" in columns else None)

    def check(self, row: Row) -> RowProblem | None:
        return texts_problem(row, self.text, self.pair) or label_problem(row, self.target)

    def to_fields(self, row: Row) -> Fields:
        return texts_in(row, self.text, self.pair) | {"label": label_of(row[self.target])}


def label_problem(row: Row, column: str) -> RowProblem | None:
    value = row.get(column)
    label = label_of(value)
    if label is not None and not is_blank(label):
        return None
    if value is None or isinstance(value, str):
        return RowProblem("no_label", f"{column!r} is empty.", "Fill it in or remove the row.")
    return wrong_type(column, value, "a word or a whole number")
