"""Batch buffer: rows that come one by one are passed on some thousand at a time."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.store.batch import Batch, weight_of
from maxaillm.dev.finetune.data.store.chunks import BATCH_CHARS, BATCH_ROWS


class BufferedBatch(NamedTuple):
    """Rows that follow each other, and the line of the file that each begins on."""

    batch: Batch
    lines: array[int]


class BatchBuffer:
    """Makes batches of rows of one kind."""

    def __init__(self, kind: type[Example], on_rows: Callable[[BufferedBatch], object]) -> None:
        self.kind, self.on_rows = kind, on_rows
        self.begin()

    def begin(self) -> None:
        self.examples: list[StoredExample] = []
        self.numbers, self.lines = array("Q"), array("Q")
        self.weight = 0

    def add(self, number: int, example: StoredExample, line: int) -> None:
        """The next row; its number is greater than the last one's."""
        self.examples.append(example)
        self.numbers.append(number)
        self.lines.append(line)
        self.weight += weight_of(example)
        if len(self.examples) == BATCH_ROWS or self.weight > BATCH_CHARS:
            self.pass_on()

    def pass_on(self) -> None:
        """What has come since the last batch; also to be called after the last row."""
        if self.examples:
            buffered = BufferedBatch(Batch(self.kind, self.numbers, self.examples), self.lines)
            self.begin()
            self.on_rows(buffered)
