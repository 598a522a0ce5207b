"""Truncated answers: they stop in the middle of a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.analysis.text_search import lengths_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

TAIL = 60
NO_PROSE = r"[^\pL ,'’-]"
"""Where an answer stops midway, a good piece at its end is words only: no list and no code."""
ENDS_WELL = r"[\pP\pS|]\s*$"
MOST_KEPT = 20_000


@checks.register
class TruncatedAnswer(Check):
    """Only where answers end properly nearly always, and a few don't."""

    label: ClassVar[str] = "Answers cut off"
    why: ClassVar[str] = "From answers that stop midway the model learns to stop midway."
    advice: ClassVar[str] = "Complete the answer, or drop the row."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["truncated_answer"] = "truncated_answer"
    min_chars: int = Field(
        100, gt=0, title="Shortest answer", json_schema_extra={"unit": "characters"}
    )
    max_share: float = Field(0.02, gt=0, lt=1, title="Largest share of answers cut off")
    same_length: int = Field(5, gt=1, title="Fewest answers cut at the same length")
    _found: list[tuple[int, str]] = PrivateAttr(default_factory=list)
    _answers: RowArrays = PrivateAttr(default_factory=RowArrays)

    def see(self, batch: Batch) -> Iterator[Issue]:
        import pyarrow.compute as pc

        lengths = lengths_of(batch)
        places = np.flatnonzero(batch.is_answer & (lengths >= self.min_chars))
        tails = pc.utf8_slice_codeunits(batch.texts.values.take(places), -TAIL)
        other_signs, good = (
            pc.match_substring_regex(tails, pattern).to_numpy(zero_copy_only=False)
            for pattern in (NO_PROSE, ENDS_WELL)
        )
        numbers = np.array(batch.numbers, np.int64)[batch.texts.rows[places]]
        self._answers.add(numbers, lengths[places].astype(np.int32), good)
        for place in np.flatnonzero(~other_signs & ~good)[: MOST_KEPT - len(self._found)].tolist():
            self._found.append((int(numbers[place]), tails[place].as_py()))
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if not len(self._answers):
            return
        numbers, lengths, good = self._answers.whole()
        limit = lengths.max()
        at_limit = numbers[(lengths == limit) & ~good]
        if len(at_limit) >= max(self.same_length, 0.001 * len(lengths)):
            for number in dict.fromkeys(at_limit.tolist()):
                message = f"The answer stops at {limit:,} characters, as {len(at_limit):,} do."
                yield Issue(number, message)
        most = self.max_share * len(good)
        if len(self._found) <= most and (~good).sum() <= 2 * most:
            for number, tail in dict(self._found).items():
                yield Issue(number, "The answer stops midway.", f"…{tail}")
