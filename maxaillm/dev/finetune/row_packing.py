"""Rows gathered into batches of a size that is good to store and to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from maxaillm.dev.finetune.formats import Example
from maxaillm.dev.finetune.row_batch import Batch, StoredExample

BATCH_ROWS = 10_000
BATCH_CHARS = 16 * 2**20


def packed(kind: type[Example], examples: Iterable[StoredExample]) -> Iterator[Batch]:
    """The examples, numbered from 1, up to 10,000 or some 16 MB of text (and one row) at once."""
    first, chars = 1, 0
    waiting: list[StoredExample] = []
    for example in examples:
        waiting.append(example)
        chars += sum(map(chars_in, example.values()))
        if len(waiting) == BATCH_ROWS or chars >= BATCH_CHARS:
            yield Batch(kind, range(first, first + len(waiting)), waiting)
            first, chars, waiting = first + len(waiting), 0, []
    if waiting:
        yield Batch(kind, range(first, first + len(waiting)), waiting)


def chars_in(value: Any) -> int:
    """How much text a field of a row holds, more or less."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, list):
        return 0
    return sum(len(item["content"] if isinstance(item, dict) else item) for item in value)
