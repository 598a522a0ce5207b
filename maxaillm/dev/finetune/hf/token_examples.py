"""The examples of a training file that someone looks at: some by their place, or a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data_processor import read_raw_rows
from maxaillm.dev.finetune.row_store import RowStore, StoredRow, holds_rows
from maxaillm.dev.finetune.running_text import read_documents

READ_AT_ONCE = 1000


class Placed(NamedTuple):
    """An example, its place among the rows from 1, and its record's number in the source."""

    place: int
    number: int
    example: Any


class Sample(NamedTuple):
    """Examples to train on, every so many of them, and how many the file has in all."""

    examples: Sequence[Any]
    every: int


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
            return
        last = max(wanted, default=0)
        for place, example in enumerate(islice(self.read(), last), start=1):
            if place in wanted:
                yield Placed(place, place, example)

    def stored_at(self, store: RowStore, places: list[int]) -> Iterator[Placed]:
        waiting = [place for place in places if place <= len(store)]
        while waiting:
            rows = store.at([place - 1 for place in waiting[:READ_AT_ONCE]])
            for place, row in zip(waiting, rows, strict=False):
                yield Placed(place, row.number, self.example_of(store, row))
            waiting = waiting[len(rows) :]

    def example_of(self, store: RowStore, row: StoredRow) -> Any:
        return store.kind.model_validate(row.example)

    def sample(self, limit: int) -> Sample:
        """Every k-th example to train on, so that they are at most `limit`; 0: all."""
        if self.store is not None and 0 < limit < len(self.store):
            every = -(-len(self.store) // limit)
            places = list(range(1, len(self.store) + 1, every))
            chosen = [placed.example for placed in self.stored_at(self.store, places)]
            return Sample([example for example in chosen if is_trained(example)], every)
        return thinned((example for example in self.read() if is_trained(example)), limit)

    def read(self) -> Iterable[Any]:
        is_raw = self.config.data.processor is not None
        return read_raw_rows(self.path) if is_raw else read_documents(self.path)


def is_trained(example: Any) -> bool:
    return example.split in {None, "train"}


def thinned(examples: Iterable[Any], limit: int) -> Sample:
    """Every k-th of the examples, k a power of two, as few as `limit` without knowing how many
    there will be; 0: all."""
    kept: list[Any] = []
    every = 1
    for place, example in enumerate(examples):
        if place % every == 0:
            kept.append(example)
        if limit and len(kept) > limit:
            kept, every = kept[::2], 2 * every
    return Sample(kept, every)
