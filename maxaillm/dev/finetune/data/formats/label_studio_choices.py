"""Label Studio, choices: tasks with annotations that put a text into a class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats
from maxaillm.dev.finetune.data.rows.annotated_tasks import (
    NOT_ANNOTATED,
    annotation_problem,
    columns_of_tasks,
    results_in,
    task_text,
    unread_in_annotations,
    unread_in_data,
    values_of,
)
from maxaillm.dev.finetune.data.rows.labels.texts import label_of
from maxaillm.dev.finetune.data.rows.unfolding import a_row_each
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem

KINDS = ("choices",)


@formats.register
class LabelStudioChoicesFormat(DataFormat):
    """Label Studio's export of a project with choices; a row for each annotation."""

    label: ClassVar[str] = "Label Studio, choices"
    summary: ClassVar[str] = "data with the text, and annotations whose results choose a class."
    gives: ClassVar[type[Example]] = Classification

    name: Literal["label_studio_choices"] = "label_studio_choices"
    data: str = Field("data", title="Data", description="An object with the text.")
    annotations: str = Field(
        "annotations", title="Annotations", description="A list of objects with their results."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        found = columns_of_tasks(sample, KINDS)
        return cls(data=found[0], annotations=found[1]) if found else None

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return lambda record: a_row_each(record, self.annotations)

    def check(self, row: Row) -> RowProblem | None:
        text, chosen = task_text(row, self.data), self.choices(row)
        if isinstance(text, RowProblem):
            return text
        if problem := annotation_problem(row, self.annotations):
            return problem
        if not chosen:
            return NOT_ANNOTATED
        if len(chosen) > 1 or not chosen[0]:
            message = f"The annotation chooses {len(chosen)} classes: {', '.join(chosen):.100}."
            fix = "Keep one, or write rows with text and labels to learn several."
            return RowProblem("several_labels", message, fix)
        return None

    def reads(self) -> Mapping[str, Unread | None]:
        inner = unread_in_annotations(KINDS, only("choices"))
        return {**super().reads(), self.data: unread_in_data, self.annotations: inner}

    def to_fields(self, row: Row) -> Fields:
        return {"text": task_text(row, self.data), "label": self.choices(row)[0]}

    def choices(self, row: Row) -> list[str]:
        """Of all questions of the project, each once."""
        values = values_of(results_in(row, self.annotations), KINDS)
        named = [item for value in values for item in as_list(value.get("choices"))]
        return list(dict.fromkeys(label_of(item) or "" for item in named))


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
