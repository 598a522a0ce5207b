"""The examples of a training file that someone looks at: some by their place, or a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.reading.processor import read_raw_rows
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.store.store import RowStore, StoredRow, holds_rows


class Placed(NamedTuple):
    """An example, its place among the rows from 1, and its record's number in the source."""

    place: int
    number: int
    example: Any


class Sample(NamedTuple):
    """Examples to train on: all of them, or one in so many."""

    placed: Iterable[Placed]
    every: int
    total: int | None
    """None: not known before all are read."""


class FileExamples:
    """What the training file of a configuration holds."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.path = config, Path(str(config.data.train_file))
        is_stored = config.data.processor is None and holds_rows(self.path)
        self.store = RowStore(self.path) if is_stored else None

    def at(self, places: Sequence[int]) -> Iterator[Placed]:
        """The examples at these places, from 1, of whatever split, as far as there are such."""
        wanted = sorted({place for place in places if place > 0})
        if self.store is not None:
            yield from self.stored_at(self.store, wanted)
        elif wanted:
            chosen = set(wanted)
            up_to_last = islice(self.numbered(), wanted[-1])
            yield from (placed for placed in up_to_last if placed.place in chosen)

    def stored_at(self, store: RowStore, places: list[int]) -> Iterator[Placed]:
        there = [place for place in places if place <= len(store)]
        for place, row in zip(there, store.at([place - 1 for place in there]), strict=True):
            yield Placed(place, row.number, self.example_of(store, row))

    def example_of(self, store: RowStore, row: StoredRow) -> Any:
        return store.kind.model_validate(row.example)

    def sample(self, limit: int) -> Sample:
        """Every k-th example to train on, so that they are at most `limit`; 0: all."""
        if self.store is not None and 0 < limit < len(self.store):
            every = -(-len(self.store) // limit)
            places = list(range(1, len(self.store) + 1, every))
            chosen = filter(is_trained, self.stored_at(self.store, places))
            return Sample(chosen, every, len(places))
        trained = filter(is_trained, self.numbered())
        return thinned(trained, limit) if limit else Sample(trained, 1, None)

    def numbered(self) -> Iterator[Placed]:
        is_raw = self.config.data.processor is not None
        options = self.config.data.reading
        examples = (
            read_raw_rows(self.path, options)
            if is_raw
            else read_documents(self.path, options=options)
        )
        return (Placed(n, n, example) for n, example in enumerate(examples, start=1))


def is_trained(placed: Placed) -> bool:
    return placed.example.split in {None, "train"}


def thinned(examples: Iterable[Placed], limit: int) -> Sample:
    """Every k-th of the examples, k a power of two, as few as `limit` without knowing how many
    there will be."""
    kept: list[Placed] = []
    every = 1
    for index, placed in enumerate(examples):
        if index % every == 0:
            kept.append(placed)
        if len(kept) > limit:
            kept, every = kept[::2], 2 * every
    return Sample(kept, every, len(kept))
