"""Row store: a Parquet file, written once, of which any page is read alone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.schema import NUMBER, kind_of, schema_of
from maxaillm.dev.finetune.data.store.values import objects_of
from maxaillm.dev.finetune.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

MAGIC = b"PAR1"
SEARCH_THREADS = 4
GROUPS_A_THREAD = 8
"""Fewer are searched before a second thread would have begun."""


class StoredRow(NamedTuple):
    """An example and the number of its record, from 1, header not counted."""

    number: int
    example: StoredExample


class RowWriter:
    """Writes batches of one kind, a row group each; the file is whole once it is left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.writer is not None:
            self.writer.close()

    def add(self, batch: Batch) -> None:
        import pyarrow.parquet as pq

        if self.writer is None:
            schema = schema_of(batch.kind)
            self.writer = pq.ParquetWriter(self.path, schema, compression="zstd")
        self.writer.write_table(batch.table)


class RowStore:
    """The rows of one file, read page by page, or all in their order."""

    def __init__(self, path: Path) -> None:
        """Raises DataError where the file is not one of ours, or is broken."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            self.file = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"The rows in {path.name} can't be read: {error}", "Check the dataset again."
            ) from error
        kind = kind_of(self.file.schema_arrow)
        if kind is None:
            raise DataError(f"{path.name} holds no rows of ours.", "Upload it as a dataset.")
        self.kind = kind
        facts = self.file.metadata
        sizes = [facts.row_group(group).num_rows for group in range(facts.num_row_groups)]
        self.ends = list(accumulate(sizes))
        """How many rows come before the end of each row group."""

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def page(self, offset: int, limit: int) -> Iterator[StoredRow]:
        """Up to `limit` rows from the `offset`-th on (from 0)."""
        return self.at(range(offset, min(offset + limit, len(self))))

    def at(self, places: Sequence[int]) -> Iterator[StoredRow]:
        """The rows at these places, which are in order.

        One by one: a row may hold 16 MB, so that who shows many cuts each before the next.
        """
        for group, within in self.by_group(places):
            table = self.file.read_row_group(group)
            for place in within:
                yield stored_row(table.slice(place, 1).to_pylist()[0])

    def numbers_at(self, places: Sequence[int]) -> list[int]:
        """The numbers of the records at these places, which are in order."""
        found: list[int] = []
        for group, within in self.by_group(places):
            numbers = self.file.read_row_group(group, columns=[NUMBER])[NUMBER]
            found += numbers.take(within).to_pylist()
        return found

    def by_group(self, places: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Each row group that holds some of them, with their places within it."""
        at = 0
        while at < len(places):
            group = bisect_right(self.ends, places[at])
            stop = bisect_left(places, self.ends[group], at)
            begin = self.ends[group - 1] if group else 0
            yield group, [place - begin for place in places[at:stop]]
            at = stop

    def batches(self) -> Iterator[Batch]:
        """All rows, a row group at a time."""
        for group in range(len(self.ends)):
            table = self.file.read_row_group(group).combine_chunks()
            for part in table.to_batches():
                numbers, *columns = part.columns
                examples = objects_of(part.schema.names[1:], columns)
                yield Batch(self.kind, numbers.to_pylist(), examples)

    def examples(self) -> Iterator[Example]:
        for batch in self.batches():
            for example in batch.examples:
                yield self.kind.model_validate(example)

    def find(self, query: RowQuery) -> NDArray[np.int64]:
        """The places of the rows that `query` means, in their order.

        Threads share the row groups: Arrow unpacks and searches without Python's lock.
        """
        import numpy as np
        import pyarrow.parquet as pq

        groups, columns = len(self.ends), query.columns(self.kind)

        def masks_of(share: range) -> list[NDArray[np.bool_]]:
            file = pq.ParquetFile(self.path)  # a reader serves one thread
            tables = (file.read_row_group(group, columns=columns) for group in share)
            batches = (batch for table in tables for batch in table.to_batches())
            return [query.mask(self.kind, batch) for batch in batches]

        threads = max(1, min(SEARCH_THREADS, groups // GROUPS_A_THREAD))
        bounds = [groups * part // threads for part in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(masks_of, map(range, bounds, bounds[1:]))
            return np.flatnonzero(np.concatenate([np.zeros(0, bool), *chain(*found)]))

    def places_of(self, numbers: Collection[int]) -> NDArray[np.int64]:
        """The places of the records with these numbers, as far as they are among the rows."""
        import numpy as np

        own = self.file.read(columns=[NUMBER])[NUMBER].to_numpy()
        return np.flatnonzero(np.isin(own, np.fromiter(numbers, np.int64, len(numbers))))

    def place_of(self, number: int) -> int:
        """How many rows come before record `number`: its place, where it is among the rows."""
        for group in range(len(self.ends)):
            statistics = self.file.metadata.row_group(group).column(0).statistics
            if statistics is None or statistics.max >= number:
                numbers = self.file.read_row_group(group, columns=[NUMBER])[NUMBER].to_pylist()
                before = self.ends[group - 1] if group else 0
                return before + bisect_left(numbers, number)
        return len(self)


def stored_row(fields: Mapping[str, Any]) -> StoredRow:
    example = {name: without_none(value) for name, value in fields.items() if value is not None}
    return StoredRow(example.pop(NUMBER), example)


def without_none(value: Any) -> Any:
    """Arrow gives every field of an object, also those that were left out."""
    if isinstance(value, list):
        return [without_none(item) for item in value]
    if isinstance(value, dict):
        return {name: without_none(item) for name, item in value.items() if item is not None}
    return value


def holds_rows(path: Path) -> bool:
    """Whether the file at `path` was written by RowWriter; one that is not there was not."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return kind_of(pq.read_schema(path)) is not None
    except (OSError, pa.ArrowInvalid):
        return False
