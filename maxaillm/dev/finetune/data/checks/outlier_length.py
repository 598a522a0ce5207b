"""Outliers by length: rows that are many times as long as nearly all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.analysis.text_search import chars_by_row
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class OutlierLength(Check):
    """Rows that no model takes whole are left to `long_row`."""

    label: ClassVar[str] = "Rows much longer than the others"
    why: ClassVar[str] = "Long rows take most of the memory, and may be files read as one row."
    advice: ClassVar[str] = "Look whether it is one row; split or drop it."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["outlier_length"] = "outlier_length"
    min_rows: int = Field(20, ge=2, title="Fewest rows to judge by")
    min_chars: int = Field(
        4_000, gt=0, title="Shortest row to name", json_schema_extra={"unit": "characters"}
    )
    max_chars: int = Field(
        1_000_000, gt=0, title="Longest row to name", json_schema_extra={"unit": "characters"}
    )
    times: float = Field(8, gt=1, title="How many times as long as 95 % of the rows")
    _rows: RowArrays = PrivateAttr(default_factory=RowArrays)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._rows.add(np.array(batch.numbers, np.int64), chars_by_row(batch).astype(np.int32))
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if len(self._rows) < self.min_rows:
            return
        numbers, lengths = self._rows.whole()
        usual = float(np.percentile(lengths, 95))
        limit = max(self.min_chars, self.times * usual)
        for place in np.flatnonzero((lengths > limit) & (lengths <= self.max_chars)).tolist():
            message = f"This row has {lengths[place]:,} characters; 95 % have at most {usual:,.0f}."
            yield Issue(int(numbers[place]), message)
