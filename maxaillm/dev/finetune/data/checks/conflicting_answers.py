"""Conflicting answers: other ones to the same question, other labels of the same text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.hashes import (
    Hashes,
    first_places,
    folded_hashes,
    is_question,
    mixed,
    question_hashes,
    sums_by_row,
    target_hashes,
)
from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, DialogueColumn, MessagesColumn

NOTHING = np.uint64(0)


@checks.register
class ConflictingAnswers(Check):
    """Where many questions have several answers, that is how the data is meant: said once."""

    label: ClassVar[str] = "Different answers to the same question"
    why: ClassVar[str] = "A model can't learn two answers to one question: it learns to waver."
    advice: ClassVar[str] = "Keep the right one."
    fix: ClassVar[str | None] = "drop_rows"
    codes: ClassVar[frozenset[str]] = frozenset({"conflicting_labels"})

    name: Literal["conflicting_answers"] = "conflicting_answers"
    max_share: float = Field(0.1, gt=0, le=1, title="Share of rows from which on it is meant")
    _rows: RowArrays = PrivateAttr(default_factory=RowArrays)
    _is_dialogue: bool = PrivateAttr(False)

    def see(self, batch: Batch) -> Iterator[Issue]:
        kind = batch.kind
        if bool(kind.target_columns()) or kind.columns_of(MessagesColumn):
            self._is_dialogue = bool(kind.columns_of(DialogueColumn))
            self._rows.add(np.array(batch.numbers, np.int64), *questions_and_answers(batch))
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if not len(self._rows):
            return
        numbers, questions, answers = self._rows.whole()
        first = first_places(questions)
        differs = np.flatnonzero((answers != answers[first]) & (questions != 0))
        if self._is_dialogue and len(differs) >= max(10, self.max_share * len(questions)):
            message = f"Many questions have several answers: {len(differs):,} rows give another."
            yield Issue(None, message)
            return
        what = ("question", "answer") if self._is_dialogue else ("text", "label")
        code = "conflicting_answers" if self._is_dialogue else "conflicting_labels"
        for place in differs.tolist():
            other = int(numbers[first[place]])
            message = f"Row {other} has the same {what[0]} and another {what[1]}."
            yield Issue(int(numbers[place]), message, code=code, other=other)


def questions_and_answers(batch: Batch) -> tuple[Hashes, Hashes]:
    """For each row a number for what it asks, and one for what it answers.

    Of answers to a prompt the question is which of them is good, in whatever order they stand.
    """
    asked = question_hashes(batch)
    if batch.kind.columns_of(DialogueColumn):
        last = np.where(is_question(batch), NOTHING, folded_hashes(batch))
        return asked, sums_by_row(batch, last)
    said = target_hashes(batch)
    if batch.kind.columns_of(AnswerColumn):
        answers = np.where(batch.texts.is_learned, mixed(folded_hashes(batch)), NOTHING)
        good = np.where(batch.texts.is_wanted, answers, NOTHING)
        asked = asked ^ mixed(sums_by_row(batch, answers))
        said = said ^ mixed(sums_by_row(batch, good))
    return asked, said
