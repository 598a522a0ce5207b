"""Row numbers: which place of the training file has which row of a dataset version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.data.store.store import RowStore


class Places(NamedTuple):
    """Row numbers and places, both from 1. A row left out keeps its number: numbers have gaps."""

    store: RowStore | None
    """None: a plain text, whose lines go together. What comes of them is numbered anew."""

    @classmethod
    def of(cls, version: DatasetVersion) -> Places:
        return cls(None if version.is_whole_text else RowStore(version.rows_path))

    def place_of(self, number: int) -> int | None:
        """None where no row has this number."""
        if self.store is None:
            return number
        place = self.store.place_of(number) + 1
        return place if self.numbers_of([place]) == [number] else None

    def numbers_of(self, places: Sequence[int]) -> list[int]:
        """Of those places that there are, in order."""
        if self.store is None:
            return list(places)
        there = [place - 1 for place in places if 0 < place <= len(self.store)]
        return self.store.numbers_at(there)
