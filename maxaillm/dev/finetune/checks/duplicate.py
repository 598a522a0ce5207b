"""Rows that are the same as an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import PrivateAttr

from maxaillm.dev.finetune.checks import Batch, Check, Suspicion, checks
from maxaillm.dev.finetune.row_hashes import Hashes, first_places, row_hashes


@checks.register
class Duplicate(Check):
    """Rows of different splits are no duplicates here: see `leakage`."""

    label: ClassVar[str] = "Duplicates"
    why: ClassVar[str] = "A row that comes twice is learned twice as hard, and by heart."
    advice: ClassVar[str] = "Keep one of them."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["duplicate"] = "duplicate"
    _hashes: list[Hashes] = PrivateAttr(default_factory=list)
    _numbers: list[np.ndarray] = PrivateAttr(default_factory=list)

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        self._hashes.append(row_hashes(batch))
        self._numbers.append(np.array(batch.numbers, np.int64))
        yield from ()

    def conclude(self) -> Iterator[Suspicion]:
        if not self._hashes:
            return
        numbers = np.concatenate(self._numbers)
        first = first_places(np.concatenate(self._hashes))
        for place in np.flatnonzero(first != np.arange(len(first))):
            message = f"This row is the same as row {numbers[first[place]]}."
            yield Suspicion(int(numbers[place]), message)
