"""Texts that say nothing: “N/A”, “...”, where others write sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.text_search import hits, lengths_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

NOTHING = (
    r"(?i)^[^\pL\pN]*(?:n/?a|none|null|nan|nil|undefined|no ?(?:output|answer|response|text|data)"
    r"|no input|empty|not (?:available|applicable)|\[?(?:deleted|removed)\]?|asdf|test)?[^\pL\pN]*$"
)
MOST_KEPT = 50_000


@checks.register
class ShortText(Check):
    """Only where texts are mostly long. What comes often is the name of a class: left alone."""

    label: ClassVar[str] = "Texts that say nothing"
    why: ClassVar[str] = "From an answer like “N/A” the model learns to leave questions unanswered."
    advice: ClassVar[str] = "Drop the row, or fill it in."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["short_text"] = "short_text"
    max_share: float = Field(0.02, gt=0, le=1, title="Share of rows from which on it is a class")
    usual_chars: int = Field(
        60, gt=0, title="Length from which on texts are long", json_schema_extra={"unit": "chars"}
    )
    _found: list[tuple[int, str]] = PrivateAttr(default_factory=list)
    _lengths: list[npt.NDArray[np.int32]] = PrivateAttr(default_factory=list)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._lengths.append(lengths_of(batch)[batch.is_output].astype(np.int32))
        for row, _at, text in hits(batch, NOTHING, batch.is_output):
            if len(self._found) < MOST_KEPT:
                self._found.append((batch.numbers[row], text))
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        lengths = np.concatenate([*self._lengths, np.zeros(0, np.int32)])
        is_long = len(lengths) and float(np.median(lengths)) >= self.usual_chars
        if is_long and len(self._found) <= max(3, self.max_share * len(lengths)):
            for number, text in self._found:
                yield Issue(number, f"This text says nothing: {text.strip()[:40]!r}.")
