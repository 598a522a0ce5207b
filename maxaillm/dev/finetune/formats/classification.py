"""Classification: a text and its label."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.cells import Row, RowProblem, all_columns, is_blank, wrong_type
from maxaillm.dev.finetune.formats import DataFormat, Example, Labelled, formats
from maxaillm.dev.finetune.judged_texts import find_texts, have_decimals, texts_problem

LABELS = ("label", "target", "category", "class", "intent", "sentiment", "gold_label")
GRADES = ("score", "rating", "stars")
"""Whole numbers under these names may be classes or amounts: the owner is asked."""
LABEL_CHARS = 80
"""Longer values are answers, not labels."""
WHOLE = re.compile(r"[-+]?\d+\.0+")


@formats.register
class Classification(DataFormat):
    """A text, or a pair of texts, and the class it belongs to."""

    label: ClassVar[str] = "Classification"
    summary: ClassVar[str] = "text (or two that are compared) and label in each row."
    gives: ClassVar[type[Example]] = Labelled

    name: Literal["classification"] = "classification"
    text: str = Field("text", title="Text", description="What is to be classified.")
    target: str = Field("label", title="Label", description="The class: a word or a number.")
    pair: str | None = Field(
        None, title="Second text", description="Where two texts are judged together."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = find_texts(sample)
        present = {name.strip().lower(): name for name in all_columns(sample)}
        target = next((present[name] for name in (*LABELS, *GRADES) if name in present), None)
        if texts is None or target is None or not are_labels(sample, target):
            return None
        text, pair = texts
        return cls(text=text, pair=pair, target=target)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(pair="pair" if "pair" in columns else None)

    def check(self, row: Row) -> RowProblem | None:
        return texts_problem(row, self.text, self.pair) or label_problem(row, self.target)

    def to_example(self, row: Row) -> Labelled:
        label = label_of(row[self.target]) or ""
        return Labelled(
            text=row[self.text], label=label, pair=row[self.pair] if self.pair else None
        )


def label_of(value: Any) -> str | None:
    """A label as text: 2, 2.0 and "2.0" are one class; None where `value` is no label.

    A column of whole numbers with gaps turns into 1.0, 2.0 in most tools that write tables.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        label = value.strip()
        return label.partition(".")[0] if WHOLE.fullmatch(label) else label
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return None


def label_problem(row: Row, column: str) -> RowProblem | None:
    value = row.get(column)
    label = label_of(value)
    if label is not None and not is_blank(label):
        return None
    if value is None or isinstance(value, str):
        return RowProblem("no_label", f"{column!r} is empty.", "Fill it in or remove the row.")
    return wrong_type(column, value, "a word or a whole number")


def are_labels(sample: Sequence[Row], column: str) -> bool:
    """Whether the column holds few short values rather than answers.

    A `target` may be either; the other names say that it holds classes.
    """
    labels = [label for row in sample if (label := label_of(row.get(column)))]
    if have_decimals(sample, column) or not labels:
        return False
    if sum(len(label) <= LABEL_CHARS for label in labels) < 0.95 * len(labels):
        return False
    classes = {label.casefold() for label in labels}
    return column.strip().lower() != "target" or len(classes) <= max(2, len(labels) // 2)
