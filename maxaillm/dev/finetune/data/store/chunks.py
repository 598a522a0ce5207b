"""Batching: rows as batches of a size that is good to store and to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.store.batch import Batch, weight_of

BATCH_ROWS = 10_000
BATCH_CHARS = 16 * 2**20
"""A batch of longer rows is smaller, for it lies in memory."""


def batched(kind: type[Example], examples: Iterable[StoredExample]) -> Iterator[Batch]:
    """The examples, numbered from 1, up to 10,000 or some 16 MB of text (and one row) at once."""
    first, weight = 1, 0
    waiting: list[StoredExample] = []
    for example in examples:
        waiting.append(example)
        weight += weight_of(example)
        if len(waiting) == BATCH_ROWS or weight >= BATCH_CHARS:
            yield Batch(kind, range(first, first + len(waiting)), waiting)
            first, weight, waiting = first + len(waiting), 0, []
    if waiting:
        yield Batch(kind, range(first, first + len(waiting)), waiting)
