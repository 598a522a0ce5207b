"""Label counts: how many rows each class of a dataset has, and which row was its first."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from maxaillm.dev.finetune.data.store.batch import Batch

MAX_CLASSES = 10_000


class LabelCounts:
    """The count over the batches seen so far. Of too many classes it counts no more."""

    def __init__(self) -> None:
        self.seen = 0
        self.rows: dict[str, int] = {}
        self.first_row: dict[str, int] = {}
        self.is_full = False

    def add(self, batch: Batch) -> None:
        self.seen += len(batch)
        if self.is_full:
            return
        counts = Counter(chain.from_iterable(batch.labels))
        if not counts.keys() <= self.rows.keys():
            self.note_first(batch)
        for label, count in counts.items():
            self.rows[label] = self.rows.get(label, 0) + count
        self.is_full = len(self.rows) > MAX_CLASSES

    def note_first(self, batch: Batch) -> None:
        for number, labels in zip(batch.numbers, batch.labels, strict=True):
            for label in labels:
                self.first_row.setdefault(label, number)
