"""Several labels: a text, or a pair of texts, and a list of its classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    formats,
    option_field,
    text_column,
)
from maxaillm.dev.finetune.data.rows.labels.lists import labels_in, separator_of
from maxaillm.dev.finetune.data.rows.labels.texts import find_texts, texts_in, texts_problem
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    is_blank,
    is_mostly,
    items_of,
    wrong_type,
)

NAMES = ("labels", "label", "categories", "topics", "genres", "emotions")
DIVIDED = (*NAMES, "target", "category", "class", "intent", "sentiment")
"""Columns whose cells may be texts with several labels."""
Divider = Literal[",", ";", "|", "/", "\n", " "]


@formats.register
class MultiLabelFormat(DataFormat):
    """A text, or a pair of texts, and the classes it belongs to: several, one or none."""

    label: ClassVar[str] = "Several labels"
    summary: ClassVar[str] = "text and labels, a list that may be empty, in each row."
    gives: ClassVar[type[Example]] = MultiLabelClassification
    is_usual: ClassVar[bool] = True

    name: Literal["multi_label"] = "multi_label"
    text: str = text_column("text", title="Text", description="What is to be classified.")
    labels: str = Field(
        "labels", title="Labels", description="A list of words or whole numbers; may be empty."
    )
    pair: str | None = text_column(
        None, title="Second text", description="Where two texts are compared."
    )
    separator: Divider | None = option_field(
        None,
        title="Labels are divided by",
        description="Where a cell is no list but a text such as a,b: what stands between the "
        "labels. An empty cell has none then.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Where a column may as well name single classes, so does `classification`: they tie."""
        texts = find_texts(sample)
        present = columns_by_name(sample)
        if texts is None:
            return None
        text, pair = texts
        labels = next((present[name] for name in NAMES if name in present), None)
        if labels is not None and hold_names(sample, labels):
            return cls(text=text, pair=pair, labels=labels)
        labels = next((present[name] for name in DIVIDED if name in present), None)
        found = separator_of(sample, labels) if labels is not None else None
        if labels is None or found is None:
            return None
        return cls(text=text, pair=pair, labels=labels, separator=found.text)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(pair="pair" if "pair" in columns else None)

    def check(self, row: Row) -> RowProblem | None:
        problem = texts_problem(row, self.text, self.pair)
        return problem or labels_problem(row, self.labels, self.separator)

    def to_fields(self, row: Row) -> Fields:
        labels = [name_of(item) for item in self.items(row)]
        return texts_in(row, self.text, self.pair) | {"labels": labels}

    def items(self, row: Row) -> list[Any]:
        return labels_in(row.get(self.labels), self.separator) or []


def name_of(item: Any) -> str | None:
    """The name of a class: a word, or a whole number as a text; None of anything else."""
    if isinstance(item, str) and not is_blank(item):
        return item.strip()
    return str(item) if isinstance(item, int) and not isinstance(item, bool) else None


def labels_problem(row: Row, column: str, separator: str | None) -> RowProblem | None:
    value = row.get(column)
    items = labels_in(value, separator)
    if items is None and (value is None or value == ""):
        fix = "Write [] where the text belongs to no class."
        return RowProblem("no_label", f"{column!r} is empty.", fix)
    if items is None:
        problem = wrong_type(column, value, "a list of labels, in a table written as JSON")
        return problem._replace(fix="Write a list, or choose what divides the labels.")
    names = [name_of(item) for item in items]
    for number, name in enumerate(names, start=1):
        if name is None:
            return wrong_type(f"label {number}", items[number - 1], "a word or a whole number")
    if len(set(names)) < len(names):
        message = f"{column!r} names a label twice."
        return RowProblem("label_twice", message, "Name each label once.")
    return None


def hold_names(sample: Sequence[Row], column: str) -> bool:
    """Whether the column holds lists of classes. Lists of 0 and 1 alone, all equally long, may
    as well have a place for each class: what they mean is not known."""
    lists = [items for row in sample if (items := items_of(row.get(column))) is not None]
    if not is_mostly(sample, lambda row: items_of(row.get(column)) is not None):
        return False
    items = [item for each in lists for item in each]
    may_be_places = {len(each) for each in lists} != {1} and len({len(each) for each in lists}) == 1
    if items and may_be_places and all(item in (0, 1) for item in items):
        return False
    return sum(name_of(item) is not None for item in items) * 2 >= len(items)
