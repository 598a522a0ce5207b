"""Near duplicates: rows that are nearly the same as another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.hashes import first_places, text_hashes
from maxaillm.dev.finetune.data.analysis.minhash import Slots, common_windows, signatures
from maxaillm.dev.finetune.data.analysis.near_duplicates import similar_rows
from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

SPLITS = ("train", "validation", "test")
FIRST_ROWS = 500
"""What these have in common is taken for a template."""


@checks.register
class NearDuplicate(Check):
    """Rows with the very same texts are left to `duplicate`, `conflicting_answers`, `leakage`."""

    label: ClassVar[str] = "Near duplicates"
    why: ClassVar[str] = "Rows that hardly differ teach little more than one of them, at full cost."
    advice: ClassVar[str] = "Keep one of them, unless the difference is what matters."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["near_duplicate"] = "near_duplicate"
    threshold: float = Field(0.8, gt=0.5, le=1, title="Smallest share in common")
    min_windows: int = Field(
        40, ge=1, title="Shortest row", json_schema_extra={"unit": "bytes", "advanced": True}
    )
    max_rows: int = Field(200_000, gt=0, title="Most rows compared")
    """A row takes 150 bytes of memory, and 16 µs where it has 200 characters."""
    _rows: RowArrays = PrivateAttr(default_factory=RowArrays)
    _waiting: list[Batch] = PrivateAttr(default_factory=list)
    _common: Slots | None = PrivateAttr(None)
    _seen: int = PrivateAttr(0)
    _compared: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        is_first = self._seen < FIRST_ROWS
        self._seen += len(batch)
        self._waiting.append(batch)
        if self._seen >= FIRST_ROWS:
            self.add_waiting(is_first=is_first)
        yield from ()

    def add_waiting(self, *, is_first: bool) -> None:
        if is_first:
            self._common = common_windows(self._waiting, FIRST_ROWS)
        for batch in self._waiting:
            room = self.max_rows - self._compared
            if room > 0 and len(batch):
                self.add_signatures(batch, room)
        self._waiting.clear()

    def add_signatures(self, batch: Batch, room: int) -> None:
        minima, bands, windows = signatures(batch, self._common)
        numbers = np.array(batch.numbers, np.int64)
        splits = np.array([SPLITS.index(split) for split in batch.splits], np.int8)
        keep = np.flatnonzero(windows[:room] >= self.min_windows)
        columns = (numbers, splits, text_hashes(batch), minima, bands)
        self._rows.add(*(column[keep] for column in columns))
        self._compared += min(room, len(batch))

    def conclude(self) -> Iterator[Issue]:
        if self._seen < FIRST_ROWS:
            self.add_waiting(is_first=True)
        if len(self._rows):
            yield from self.near_duplicates()
        if self._seen > self.max_rows:
            message = (
                f"Only the first {self.max_rows:,} of {self._seen:,} rows were compared "
                "for near duplicates."
            )
            yield Issue(None, message)

    def near_duplicates(self) -> Iterator[Issue]:
        numbers, splits, texts, minima, bands = self._rows.whole()
        is_new = first_places(texts) == np.arange(len(texts))
        if not is_new.all():
            numbers, splits, minima, bands = (
                column[is_new] for column in (numbers, splits, minima, bands)
            )
        earlier, similarity = similar_rows(minima, bands, self.threshold)
        for place in np.flatnonzero(earlier != np.arange(len(earlier))).tolist():
            row, other = place, int(earlier[place])
            if splits[row] < splits[other]:
                row, other = other, row
            alike = f"{min(similarity[place], 0.99):.0%} the same as row {numbers[other]}"
            message, code = f"This row is about {alike}.", None
            if splits[row] != splits[other]:
                message = f"This row is about {alike}, which is in {SPLITS[splits[other]]}."
                code = "leakage"
            yield Issue(int(numbers[row]), message, code=code, other=int(numbers[other]))
