"""Mixture: several stores of one kind joined, each with a weight; in order, or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.fixes.shared.sampling import SelectionSampling
from maxaillm.dev.finetune.data.rows.splits import Split
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.chunks import batched
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.store import RowStore, RowWriter
from maxaillm.dev.finetune.errors import DataError

MAX_TIMES = 100
BUCKET_BYTES = 16 * 2**20
MAX_BUCKETS = 256
"""So many files are open at once while rows are shuffled."""


class Source(NamedTuple):
    """A store to be joined; `name` is what its owner calls it."""

    name: str
    store: RowStore
    times: float = 1.0
    """How often each row is taken: 0.5 draws half of them by chance, 2 takes each twice."""
    split: Split | None = None
    """Where its rows go, such as a test file's; None: each keeps its split."""


def times_of_shares(shares: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """How often to take the rows of sources of these sizes, so that each has its share.

    No row is taken twice, and of one source at least every row is taken.
    """
    rows = min(size / share for share, size in zip(shares, sizes, strict=True) if share > 0)
    return [share * rows / size for share, size in zip(shares, sizes, strict=True)]


def mix(
    sources: Sequence[Source],
    on_batch: Callable[[Batch], object],
    *,
    seed: int = 0,
    shuffle: bool = False,
    locked: Collection[Split] = (),
    folder: Path | None = None,
) -> list[int]:
    """Give `on_batch` (RowWriter.add) the rows of all sources; how many each of them gave.

    Rows keep their split; those of `locked` splits are taken once whatever the weight. To
    shuffle takes room in `folder` for the rows once more.

    Raises DataError where the sources hold different kinds of rows, or nothing is taken.
    """
    kind = one_kind(sources)
    taken = [0] * len(sources)

    def rows() -> Iterator[StoredExample]:
        for place, source in enumerate(sources):
            for example in rows_of(source, f"{seed} {place}", locked):
                taken[place] += 1
                is_locked = example.get("split", "train") in locked
                moves = source.split is not None and not is_locked
                yield example | {"split": source.split} if moves else example

    if shuffle:
        buckets = min(MAX_BUCKETS, 1 + sum(map(bytes_of, sources)) // BUCKET_BYTES)
        examples = shuffled(kind, rows(), buckets, Random(seed), folder)
    else:
        examples = rows()
    for batch in batched(kind, examples):
        on_batch(batch)
    if not sum(taken):
        raise DataError("No row would be taken.", "Raise the weights.", code="no_rows_left")
    return taken


def one_kind(sources: Sequence[Source]) -> type[Example]:
    first = sources[0]
    for source in sources:
        if source.store.kind is not first.store.kind:
            one, other = (each.store.kind.plural for each in (first, source))
            raise DataError(
                f"“{first.name}” holds {one}, “{source.name}” holds {other}: they can't be joined.",
                "Join datasets of one kind.",
                code="different_kinds",
            )
        if not 0 <= source.times <= MAX_TIMES:
            message = f"The rows of “{source.name}” can't be taken {source.times:g} times."
            raise DataError(message, f"Choose a weight from 0 to {MAX_TIMES}.")
    return first.store.kind


def rows_of(source: Source, seed: str, locked: Collection[Split]) -> Iterator[StoredExample]:
    """Each row as often as it is wanted, copies behind each other."""
    store, times = source.store, int(source.times)
    free = len(store) - sum(len(store.find(RowQuery(split=split))) for split in locked)
    draw = SelectionSampling(round((source.times - times) * free), free, seed)
    for batch in store.batches():
        for example in batch.examples:
            is_locked = example.get("split", "train") in locked
            yield from [example] * (1 if is_locked else times + draw.takes_next())


def bytes_of(source: Source) -> int:
    facts = source.store.file.metadata
    size = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
    return int(source.times * size)


def shuffled(
    kind: type[Example],
    examples: Iterator[StoredExample],
    buckets: int,
    random: Random,
    folder: Path | None,
) -> Iterator[StoredExample]:
    """Every order is as likely: rows go to random buckets on the disk, each shuffled in memory."""
    with TemporaryDirectory(dir=folder) as scratch:
        paths = [Path(scratch, str(bucket)) for bucket in range(buckets)]
        with ExitStack() as stack:
            writers = [stack.enter_context(RowWriter(path)) for path in paths]
            for batch in batched(kind, examples):
                scatter(batch, writers, random)
        for path in paths:
            if path.exists():
                rows = [row for batch in RowStore(path).batches() for row in batch.examples]
                random.shuffle(rows)
                yield from rows


def scatter(batch: Batch, writers: Sequence[RowWriter], random: Random) -> None:
    shares: list[list[StoredExample]] = [[] for _ in writers]
    for example in batch.examples:
        random.choice(shares).append(example)
    for share, writer in zip(shares, writers, strict=True):
        if share:
            writer.add(Batch(batch.kind, range(1, len(share) + 1), share))
