"""Echoed questions: answers that only repeat the question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from maxaillm.dev.finetune.data.analysis.hashes import folded_hashes
from maxaillm.dev.finetune.data.analysis.text_search import lengths_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class EchoedQuestion(Check):
    label: ClassVar[str] = "Answers that repeat the question"
    why: ClassVar[str] = "The model learns to say back what it was asked."
    advice: ClassVar[str] = "Drop the row, or answer the question."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["echoed_question"] = "echoed_question"
    min_chars: int = Field(
        20, ge=1, title="Shortest answer", json_schema_extra={"unit": "characters"}
    )
    """In a translation, names and greetings may well stay the same."""

    def see(self, batch: Batch) -> Iterator[Issue]:
        hashes, rows = folded_hashes(batch), batch.texts.rows
        is_echo = (hashes[1:] == hashes[:-1]) & (rows[1:] == rows[:-1]) & batch.is_answer[1:]
        is_long = lengths_of(batch)[1:] >= self.min_chars
        for row in np.unique(rows[1:][is_echo & is_long]).tolist():
            yield Issue(batch.numbers[row], "The answer only repeats the question.")
