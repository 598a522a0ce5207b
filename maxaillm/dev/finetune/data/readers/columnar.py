"""Parquet and Arrow files, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.data.readers.arrow_values import column_values, size_of
from maxaillm.dev.finetune.data.readers.headers import column_names
from maxaillm.dev.finetune.data.readers.hub_features import namings
from maxaillm.dev.finetune.data.readers.json_records import FORBIDDEN
from maxaillm.dev.finetune.data.readers.records import (
    RECORD_CHARS,
    BadRecord,
    Kind,
    Note,
    Record,
    Records,
)
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1_000
BATCH_BYTES = 16 * 2**20
BUFFER_BYTES = 2**20
INDEX = "__index_level_"
"""How pandas calls the numbers of its rows where it writes them down."""
VALUE_FAULTS = (ValueError, OverflowError, KeyError, NotImplementedError)
"""What pyarrow raises for a year beyond 9999, an unknown time zone, two fields of one name."""
WORDS = {"parquet": "Parquet", "arrow": "Arrow"}
Batches = Callable[[Source], Iterator["pa.RecordBatch"]]


def columnar_kind(head: bytes) -> tuple[Kind, Batches] | None:
    """Parquet, or one of Arrow's two forms, by the first bytes of a file."""
    if head.startswith(b"PAR1"):
        return "parquet", parquet_batches
    if head.startswith(b"ARROW1\0\0"):
        return "arrow", arrow_batches
    if head.startswith(b"\xff\xff\xff\xff") and head[7:8] == b"\0":
        return "arrow", stream_batches
    return None


def columnar_records(source: Source, kind: Kind, batches: Batches) -> Records:
    """Raises DataError where the file is damaged or has too many columns."""
    batch = next(whole(source, kind, batches), None)
    names, notes = column_names(batch.schema.names if batch is not None else [])
    read = partial(read_columnar, source, kind, batches, names)
    columns = tuple(name for name in names if not name.startswith(INDEX))
    return Records(kind, "", read, columns=columns, notes=notes)


def read_columnar(
    source: Source, kind: Kind, batches: Batches, names: tuple[str, ...]
) -> Iterator[Record | BadRecord]:
    number = 1
    for batch in whole(source, kind, batches):
        try:
            yield from records_of(batch, names, number)
        except VALUE_FAULTS:  # a value that Python has no room for: the rows one by one
            for at in range(batch.num_rows):
                yield from one_record(batch.slice(at, 1), names, number + at)
        number += batch.num_rows


def records_of(
    batch: pa.RecordBatch, names: tuple[str, ...], number: int
) -> list[Record | BadRecord]:
    found: dict[int, set[Note]] = {}
    columns = {
        name: column_values(column, found)
        for name, column in zip(names, batch.columns, strict=True)
        if not name.startswith(INDEX)
    }
    for name, named in namings(batch.schema).items():
        if name in columns:
            columns[name] = list(map(named, columns[name]))
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    is_long = batch.nbytes > RECORD_CHARS
    if not found and not is_long:
        return [Record(row, at) for at, row in enumerate(rows, start=number)]
    return [record_of(row, number + at, found.get(at, set())) for at, row in enumerate(rows)]


def one_record(
    batch: pa.RecordBatch, names: tuple[str, ...], number: int
) -> list[Record | BadRecord]:
    try:
        return records_of(batch, names, number)
    except VALUE_FAULTS as error:
        message = f"A value of this row can't be read: {error}."
        return [BadRecord(number, "bad_value", message, "", "Write it as text or a number.")]


def record_of(row: dict[str, Any], number: int, notes: set[Note]) -> Record | BadRecord:
    if refused := notes & FORBIDDEN:
        code, message = next(iter(refused))
        return BadRecord(number, code, message, str(row)[:200])
    if size_of(row) > RECORD_CHARS:
        message = f"This row is longer than {RECORD_CHARS // 2**20} million characters."
        return BadRecord(number, "record_too_long", message, "", "Split it into several rows.")
    return Record(row, number, tuple(sorted(notes)))


def whole(source: Source, kind: Kind, batches: Batches) -> Iterator[pa.RecordBatch]:
    """The batches of a file, its faults put into words."""
    import pyarrow as pa

    rows = 0
    try:
        for batch in batches(source):
            yield batch
            rows += batch.num_rows
    except MemoryError as error:
        raise DataError(
            f"The {WORDS[kind]} file needs too much memory to be read after row {rows:,}.",
            "Write it with smaller row groups or record batches.",
            code="too_complex",
        ) from error
    except (pa.ArrowException, *VALUE_FAULTS, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).split("\n", 1)[0].rstrip(".")[:200]
        raise DataError(
            f"The file looks like {WORDS[kind]} but can't be read after row {rows:,}: {reason}.",
            "It may be cut off or damaged: get it once more.",
            code="broken_file",
        ) from error


def parquet_batches(source: Source) -> Iterator[pa.RecordBatch]:
    from pyarrow.parquet import ParquetFile

    with source.open_seekable() as stream:
        file = ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER_BYTES)
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        row_bytes = max(
            (group.total_byte_size // max(1, group.num_rows) for group in groups), default=0
        )
        size = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))
        yield from file.iter_batches(batch_size=size, use_threads=False)


def arrow_batches(source: Source) -> Iterator[pa.RecordBatch]:
    from pyarrow.ipc import open_file

    with source.open_seekable() as stream:
        file = open_file(stream)
        for number in range(file.num_record_batches):
            yield from slices(file.get_batch(number))


def stream_batches(source: Source) -> Iterator[pa.RecordBatch]:
    from pyarrow.ipc import open_stream

    with source.open() as stream, closing(open_stream(stream)) as batches:
        for batch in batches:
            yield from slices(batch)


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    batch.validate(full=True)  # a damaged file must not lead beyond the memory read
    size = max(1, min(BATCH_ROWS, BATCH_ROWS * BATCH_BYTES // max(1, batch.nbytes)))
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)
