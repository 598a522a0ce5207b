"""Duplicates: rows that are the same as an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.hashes import first_places, row_hashes
from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class Duplicate(Check):
    """Rows of different splits are no duplicates here: see `leakage`."""

    label: ClassVar[str] = "Duplicates"
    why: ClassVar[str] = "A row that comes twice is learned twice as hard, and by heart."
    advice: ClassVar[str] = "Keep one of them."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["duplicate"] = "duplicate"
    _rows: RowArrays = PrivateAttr(default_factory=RowArrays)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._rows.add(np.array(batch.numbers, np.int64), row_hashes(batch))
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if not len(self._rows):
            return
        numbers, hashes = self._rows.whole()
        first = first_places(hashes)
        for place in np.flatnonzero(first != np.arange(len(first))).tolist():
            other = int(numbers[first[place]])
            message = f"This row is the same as row {other}."
            yield Issue(int(numbers[place]), message, other=other)
