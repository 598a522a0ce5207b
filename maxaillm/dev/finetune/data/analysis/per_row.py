"""Arrays with an entry a row: numbers of a whole dataset, gathered batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]


class RowArrays:
    """Columns of one length, each of its own type."""

    def __init__(self) -> None:
        self.parts: list[tuple[Column, ...]] = []

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self.parts)

    def add(self, *columns: Column) -> None:
        self.parts.append(columns)

    def whole(self) -> list[Column]:
        """Each column from the first row to the last, given away: there must be a row."""
        columns = list(zip(*self.parts, strict=True))
        self.parts.clear()
        whole = []
        while columns:
            whole.append(np.concatenate(columns.pop(0)))
        return whole
