"""Ranked answers, as in Nectar: a prompt and answers with their place in a contest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.labels.texts import number_of
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    messages_of,
    prompt_in,
    refuse_broken,
)
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    text_problem,
    wrong_type,
)

PROMPTS = ("prompt", "instruction", "question", "query")


@formats.register
class RankedAnswersFormat(DataFormat):
    """Several answers in order; the best one is preferred to the worst one."""

    label: ClassVar[str] = "Ranked answers"
    summary: ClassVar[str] = "prompt, and answers: a list of {answer, rank}; rank 1 is the best."
    gives: ClassVar[type[Example]] = Preference

    name: Literal["ranked_answers"] = "ranked_answers"
    prompt: str = text_column("prompt", title="Prompt", description="A text or a list of messages.")
    answers: str = Field(
        "answers",
        title="Answers",
        description="A list of objects: answer and rank. Learned from are the first and the "
        "last; those between differ less.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        prompt = next((present[name] for name in PROMPTS if name in present), None)
        answers = present.get("answers")
        if prompt is None or answers is None:
            return None
        if not is_mostly(sample, lambda row: is_ranked(row.get(answers))):
            return None
        return cls(prompt=prompt, answers=answers)

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.answers, "a list of answers") or self.answers_problem(row)
        if problem is not None:
            return problem
        try:
            prompt = prompt_in(row, self.prompt, None, None)
            refuse_broken(prompt, [Turn("assistant", "answer")], self.prompt)
        except TurnError as error:
            return error.problem
        return None

    def reads(self) -> Mapping[str, Unread | None]:
        read = {self.prompt: unread_in_turns, self.answers: only("answer", "rank")}
        return {**super().reads(), **read}

    def answers_problem(self, row: Row) -> RowProblem | None:
        answers = items_of(row[self.answers]) or []
        for number, answer in enumerate(answers, start=1):
            if not isinstance(answer, dict):
                return wrong_type(f"answer {number}", answer, "an object")
            problem = text_problem(answer, "answer")
            if problem is not None:
                return problem._replace(message=f"Answer {number}: {problem.message}")
            if number_of(answer.get("rank")) is None:
                return wrong_type(f"rank of answer {number}", answer.get("rank"), "a number")
        best, *_, worst = ranked(answers) * 2
        if best["rank"] == worst["rank"] or best["answer"] == worst["answer"]:
            message = f"{self.answers!r} holds no two different answers of different rank."
            return RowProblem("no_difference", message, "Remove the row.")
        return None

    def to_fields(self, row: Row) -> Fields:
        best, *_, worst = ranked(items_of(row[self.answers]) or [])
        return {
            "messages": messages_of(prompt_in(row, self.prompt, None, None)),
            "chosen": messages_of([Turn("assistant", best["answer"])]),
            "rejected": messages_of([Turn("assistant", worst["answer"])]),
        }


def ranked(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """From the best to the worst."""
    return sorted(answers, key=lambda answer: number_of(answer["rank"]) or 0.0)


def is_ranked(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and items[0].keys() >= {"answer", "rank"}
