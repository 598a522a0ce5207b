"""Multiple choice: a question, what may be chosen, and the answer or its explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar, Literal, NamedTuple, Self

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
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    cell_of,
    columns_by_name,
    is_blank,
    is_mostly,
    items_of,
    object_of,
    optional_text_problem,
    text_of,
    text_problem,
    wrong_type,
)

QUESTIONS = ("question", "question_stem", "prompt")
CHOICES = ("choices", "options")
ANSWERS = ("solution", "answer", "answerkey", "answer_key", "correct_answer", "label")


class Choice(NamedTuple):
    """A text to choose, and the letter or number that it goes by."""

    mark: str
    text: str


@formats.register
class MultipleChoiceFormat(DataFormat):
    """A question with what may be chosen; the answer is learned as letter and text."""

    label: ClassVar[str] = "Multiple choice"
    summary: ClassVar[str] = "question, choices (a list) and answer, solution or explanation."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["multiple_choice"] = "multiple_choice"
    question: str = text_column("question", title="Question", description="What is asked.")
    choices: str = Field(
        "choices",
        title="Choices",
        description="A list of texts, or an object with the lists text and label.",
    )
    answer: str = Field(
        "answer",
        title="Answer",
        description="A letter, the place in the list counted from 0, the text of the choice, or "
        "an answer in other words.",
    )
    explanation: str | None = text_column(
        None, title="Explanation", description="Said before the answer; may be empty in a row."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        question, choices, answer = (
            next((present[name] for name in names if name in present), None)
            for names in (QUESTIONS, CHOICES, (*ANSWERS, "explanation"))
        )
        explanation = present.get("explanation")
        if question is None or choices is None or answer is None:
            return None
        if not is_mostly(sample, lambda row: bool(choices_of(row.get(choices)))):
            return None
        return cls(
            question=question,
            choices=choices,
            answer=answer,
            explanation=explanation if explanation != answer else None,
        )

    def check(self, row: Row) -> RowProblem | None:
        problem = text_problem(row, self.question) or optional_text_problem(row, self.explanation)
        if problem is not None:
            return problem
        choices = choices_of(row.get(self.choices))
        if not choices:
            return wrong_type(self.choices, row.get(self.choices), "a list of texts to choose from")
        value = row.get(self.answer)
        if answer_of(value, choices) is not None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            message = f"{self.answer!r} is {value}, and there are {len(choices)} choices."
            return RowProblem("no_choice", message, "Count the choices from 0.")
        return text_problem(row, self.answer) or wrong_type(self.answer, value)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.choices: only("text", "label")}

    def to_fields(self, row: Row) -> Fields:
        choices = choices_of(row[self.choices]) or []
        listed = "\n".join(map(in_words, choices))
        asked = f"{cell_of(row, self.question)}\n\n{listed}"
        answer, why = answer_of(row[self.answer], choices), text_of(row, self.explanation)
        answer = f"{why}\n\n{answer}" if why else str(answer)
        return conversation_of([Turn("user", asked), Turn("assistant", answer)])


def in_words(choice: Choice) -> str:
    return f"{choice.mark}. {choice.text}"


def choices_of(value: Any) -> list[Choice] | None:
    """What may be chosen; None where `value` is no list of texts."""
    both = object_of(value) or {"text": items_of(value)}
    texts = items_of(both.get("text")) or []
    marks = items_of(both.get("label")) or list(ascii_uppercase[: len(texts)])
    are_texts = all(isinstance(part, str) and not is_blank(part) for part in [*texts, *marks])
    if not texts or len(texts) != len(marks) or not are_texts:
        return None
    return [Choice(mark, text) for mark, text in zip(marks, texts, strict=True)]


def answer_of(value: Any, choices: Sequence[Choice]) -> str | None:
    """What the model is to say: the choice that `value` means, else its own words."""
    if isinstance(value, int) and not isinstance(value, bool):
        return in_words(choices[value]) if 0 <= value < len(choices) else None
    if not isinstance(value, str) or is_blank(value):
        return None
    meant = value.strip().casefold()
    for choice in choices:
        if meant in (choice.mark.casefold(), choice.text.strip().casefold()):
            return in_words(choice)
    if meant.isdecimal():  # a table's cell
        return answer_of(int(meant), choices)
    return value
