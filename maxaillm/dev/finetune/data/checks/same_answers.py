"""Same answers: preferences in which the better answer and the worse one are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns import StoredExample
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn


@checks.register
class SameAnswers(Check):
    label: ClassVar[str] = "Two equal answers to choose from"
    why: ClassVar[str] = "Where both answers are the same, there is nothing to prefer."
    advice: ClassVar[str] = "Drop the row."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["same_answers"] = "same_answers"

    def see(self, batch: Batch) -> Iterator[Issue]:
        answers = batch.kind.columns_of(AnswerColumn)
        if len(answers) < 2:
            return
        for number, example in zip(batch.numbers, batch.examples, strict=True):
            if len({spoken(own, example) for own in answers}) < len(answers):
                yield Issue(number, "The chosen and the rejected answer are the same.")


def spoken(answer: AnswerColumn, example: StoredExample) -> tuple[tuple[str, str], ...]:
    return tuple((piece.part, piece.text.strip()) for piece in answer.pieces(example))
