"""Extractive question answering in rows: context, question, answers: {text, answer_start}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    text_column,
)
from maxaillm.dev.finetune.data.rows.spans import first_answer, turns_about
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    cell_of,
    columns_by_name,
    is_mostly,
    items_of,
    object_of,
    text_problem,
)


@formats.register
class ExtractiveQAFormat(DataFormat):
    """A question about a text; the first answer is learned."""

    label: ClassVar[str] = "Question about a text"
    summary: ClassVar[str] = "context, question and answers: {text: [...], answer_start: [...]}."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["extractive_qa"] = "extractive_qa"
    context: str = text_column("context", title="Context", description="The text asked about.")
    question: str = text_column("question", title="Question", description="What is asked.")
    answers: str = Field(
        "answers",
        title="Answers",
        description="An object with the list text; the first one is learned.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        if not present.keys() >= {"context", "question", "answers"}:
            return None
        answers = present["answers"]
        if not is_mostly(sample, lambda row: is_span(row.get(answers))):
            return None
        return cls(context=present["context"], question=present["question"], answers=answers)

    def check(self, row: Row) -> RowProblem | None:
        problem = text_problem(row, self.context) or text_problem(row, self.question)
        if problem is None and row.get(self.answers) is None:
            return text_problem(row, self.answers)
        answer = first_answer(row.get(self.answers))
        return problem or (answer if isinstance(answer, RowProblem) else None)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.answers: only("text", "answer_start")}

    def to_fields(self, row: Row) -> Fields:
        context, question = cell_of(row, self.context), cell_of(row, self.question)
        return conversation_of(turns_about(context, question, str(first_answer(row[self.answers]))))


def is_span(value: Any) -> bool:
    """An object with texts, or a list of such objects; empty where a question has no answer."""
    spans = object_of(value)
    if spans is not None:
        return "text" in spans
    items = items_of(value)
    return items is not None and all(isinstance(item, dict) and "text" in item for item in items)
