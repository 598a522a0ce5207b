"""Label Studio, entities: tasks with annotations that mark spans of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats
from maxaillm.dev.finetune.data.rows.annotated_tasks import (
    annotation_problem,
    columns_of_tasks,
    results_in,
    task_text,
    unread_in_annotations,
    unread_in_data,
    values_of,
)
from maxaillm.dev.finetune.data.rows.spans import spans_problem, tagged_words, unread_in_spans
from maxaillm.dev.finetune.data.rows.unfolding import a_row_each
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem

KINDS = ("labels", "hypertextlabels")


@formats.register
class LabelStudioEntitiesFormat(DataFormat):
    """Label Studio's export of a project with labels on spans; a row for each annotation."""

    label: ClassVar[str] = "Label Studio, entities"
    summary: ClassVar[str] = "data with the text, and annotations whose results mark spans of it."
    gives: ClassVar[type[Example]] = TokenLabels

    name: Literal["label_studio_entities"] = "label_studio_entities"
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
        text = task_text(row, self.data)
        if isinstance(text, RowProblem):
            return text
        problem = annotation_problem(row, self.annotations)
        return problem or spans_problem(text, self.spans(row))

    def reads(self) -> Mapping[str, Unread | None]:
        inner = unread_in_annotations(KINDS, unread_in_spans)
        return {**super().reads(), self.data: unread_in_data, self.annotations: inner}

    def to_fields(self, row: Row) -> Fields:
        tokens, tags = tagged_words(str(task_text(row, self.data)), self.spans(row))
        return {"tokens": tokens, "tags": tags}

    def spans(self, row: Row) -> list[dict[str, Any]]:
        return values_of(results_in(row, self.annotations), KINDS)
