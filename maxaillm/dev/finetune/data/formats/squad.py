"""SQuAD's own files: an article a record, its paragraphs, and questions about each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.spans import first_answer, turns_about
from maxaillm.dev.finetune.data.rows.unfolding import rows_or_record
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    text_problem,
    wrong_type,
)


@formats.register
class SquadFormat(DataFormat):
    """Articles with questions; every question is a row, and its first answer is learned."""

    label: ClassVar[str] = "SQuAD"
    summary: ClassVar[str] = "paragraphs: a list of {context, qas: [{question, answers}]}."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["squad"] = "squad"
    paragraphs: str = Field(
        "paragraphs",
        title="Paragraphs",
        description="A list of objects: context and qas, the questions about it.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = columns_by_name(sample).get("paragraphs")
        if column is None or not is_mostly(sample, lambda row: has_questions(row.get(column))):
            return None
        return cls(paragraphs=column)

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return lambda record: rows_or_record(self.rows_in(record), record)

    def rows_in(self, record: Row) -> Iterator[Row]:
        """A row for each question; what the record says of all of them goes along."""
        shared = {name: value for name, value in record.items() if name != self.paragraphs}
        for paragraph in items_of(record.get(self.paragraphs)) or ():
            questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(questions, list) or not questions:
                yield shared | {self.paragraphs: [paragraph]}
                continue
            for asked in questions:
                yield shared | {self.paragraphs: [paragraph | {"qas": [asked]}]}

    def check(self, row: Row) -> RowProblem | None:
        """Of a row with one question."""
        problem = list_problem(row, self.paragraphs, "a list of paragraphs")
        if problem is not None:
            return problem
        (paragraph,) = (items_of(row[self.paragraphs]) or [])[:1]
        questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
        if questions == []:
            return RowProblem("no_question", "A paragraph has no questions.", "Remove it.")
        if not isinstance(questions, list) or not isinstance(questions[0], dict):
            return wrong_type("paragraph", paragraph, "an object with context and qas")
        problem = text_problem(paragraph, "context") or text_problem(questions[0], "question")
        answer = first_answer(questions[0].get("answers", []))
        return problem or (answer if isinstance(answer, RowProblem) else None)

    def reads(self) -> Mapping[str, Unread | None]:
        asked = only("question", answers=only("text", "answer_start"))
        return {**super().reads(), self.paragraphs: only("context", qas=asked)}

    def to_fields(self, row: Row) -> Fields:
        paragraph = (items_of(row[self.paragraphs]) or [])[0]
        asked = paragraph["qas"][0]
        answer = str(first_answer(asked["answers"]))
        return conversation_of(turns_about(paragraph["context"], asked["question"], answer))


def has_questions(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and "qas" in items[0]
