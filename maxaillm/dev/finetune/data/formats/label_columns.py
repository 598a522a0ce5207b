"""Several labels with a column each: 1 where the text belongs to the class, else 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.labels.texts import find_texts, texts_in, texts_problem
from maxaillm.dev.finetune.data.rows.values import (
    METADATA,
    Row,
    RowProblem,
    all_columns,
    wrong_type,
)

FLAGS = {0: False, 1: True, "0": False, "1": True, "true": True, "false": False}
NO_CLASSES = METADATA | {"label", "labels", "target", "score", "class"}


@formats.register
class LabelColumnsFormat(DataFormat):
    """A text, or a pair of texts, and a column for each class."""

    label: ClassVar[str] = "A column for each label"
    summary: ClassVar[str] = "text and, for each class, a column of 0 and 1."
    gives: ClassVar[type[Example]] = MultiLabelClassification

    name: Literal["label_columns"] = "label_columns"
    text: str = text_column("text", title="Text", description="What is to be classified.")
    classes: tuple[str, ...] = Field(
        (),
        title="Class",
        description="1 where the text belongs to the class of the column's name, else 0. "
        "Choose all such columns.",
        min_length=1,
    )
    pair: str | None = text_column(
        None, title="Second text", description="Where two texts are compared."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Two such columns at least, and no others: else they may hold anything."""
        texts = find_texts(sample)
        names = all_columns(sample)
        classes = tuple(name for name in names if holds_flags(sample, name))
        others = {name.strip().lower() for name in names if name not in (*classes, *(texts or ()))}
        if texts is None or len(classes) < 2 or others - METADATA:
            return None
        text, pair = texts
        return cls(text=text, pair=pair, classes=classes)

    def check(self, row: Row) -> RowProblem | None:
        problem = texts_problem(row, self.text, self.pair)
        for column in self.classes if problem is None else ():
            if flag_of(row.get(column)) is None:
                return wrong_type(column, row.get(column), "0 or 1")
        return problem

    def to_fields(self, row: Row) -> Fields:
        labels = [column for column in self.classes if flag_of(row[column])]
        return texts_in(row, self.text, self.pair) | {"labels": labels}


def flag_of(value: Any) -> bool | None:
    key = value.strip().lower() if isinstance(value, str) else value
    return FLAGS.get(key) if isinstance(key, int | float | str) else None


def holds_flags(sample: Sequence[Row], name: str) -> bool:
    """Whether the filled cells of a column are 0 and 1, but for a few."""
    values = [row[name] for row in sample if row.get(name) not in (None, "")]
    may_be_class = name.strip().lower() not in NO_CLASSES
    flags = sum(flag_of(value) is not None for value in values)
    return may_be_class and bool(values) and flags >= 0.95 * len(values)
