"""Repeated text: answers that say the same again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from maxaillm.dev.finetune.data.analysis.text_search import lengths_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

PIECE = 32
LOOKS = 5


@checks.register
class RepeatedText(Check):
    """A loop that fills a quarter of a text runs over one of the places that are looked at."""

    label: ClassVar[str] = "Loops within a text"
    why: ClassVar[str] = "A model that learns from loops gets caught in them when it writes."
    advice: ClassVar[str] = "Drop the row, or cut the text where it begins to repeat itself."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["repeated_text"] = "repeated_text"
    min_times: int = Field(5, ge=2, title="Fewest repetitions", json_schema_extra={"unit": "times"})
    min_chars: int = Field(
        200, ge=PIECE * LOOKS, title="Shortest text", json_schema_extra={"unit": "characters"}
    )
    max_chars: int = Field(
        100_000, gt=0, title="Longest text", json_schema_extra={"unit": "characters"}
    )

    def see(self, batch: Batch) -> Iterator[Issue]:
        texts, lengths = batch.texts, lengths_of(batch)
        long_enough = (lengths >= self.min_chars) & (lengths <= self.max_chars)
        done = -1
        for place in np.flatnonzero(batch.is_output & long_enough).tolist():
            row = int(texts.rows[place])
            if row == done:
                continue
            if (piece := self.repeated_in(texts.values[place].as_py())) is not None:
                done = row
                yield Issue(batch.numbers[row], "The text repeats itself.", piece)

    def repeated_in(self, text: str) -> str | None:
        """A piece that comes again and again, closely, over a good part of the text."""
        for look in range(LOOKS):
            start = (len(text) - PIECE) * look // (LOOKS - 1)
            piece = text[start : start + PIECE]
            times = text.count(piece)
            if times < self.min_times or sum(map(str.isalpha, piece)) < PIECE // 3:
                continue
            span = text.rfind(piece) + PIECE - text.find(piece)
            if span >= len(text) / 4 and span <= times * PIECE * 4:
                return piece
        return None
