"""Examples of a training file, read one by one; the first mistake ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.formats import DataFormat, stored_format
from maxaillm.dev.finetune.data.readers import BadRecord, ReadOptions, Record, open_records
from maxaillm.dev.finetune.data.reading.recognition import format_of, refuse_doubt, sample_of
from maxaillm.dev.finetune.data.rows.splits import Split, SplitColumn, split_of
from maxaillm.dev.finetune.data.store.store import RowStore, holds_rows
from maxaillm.dev.finetune.errors import DataError

HINT = "`validate` lists every mistake of the file."


def read_examples(
    path: str | Path, format: DataFormat | None = None, options: ReadOptions | None = None
) -> Iterator[Example]:
    """The examples in the file at `path`; without `format` it is recognised. `options` say how
    the file is written, where it does not tell itself.

    Rows that this program stored, and lines of JSON that are its examples, are read as what
    they are.

    Raises DataError, naming row and line, where a row can't be trained on: a training that
    leaves rows out in silence is worse than none.
    """
    if format is None and holds_rows(Path(path)):
        yield from RowStore(Path(path)).examples()
        return
    records = open_records(path, options=options)
    sample = sample_of(records)
    refuse_doubt(records, sample, format)
    stored = stored_format(sample) if records.kind == "jsonl" else None
    data_format, split_column = (
        format or stored or format_of(sample, asks=False),
        SplitColumn(sample),
    )
    unfold, number = data_format.unfolder(), 0
    for record in records:
        if isinstance(record, BadRecord):
            message = f"Row {number + 1}, line {record.line} of the file: {record.message}"
            raise DataError(message, record.fix or HINT, code=record.code)
        for row in unfold(record.row):
            number += 1
            problem = data_format.check(row) or split_column.problem(row)
            if problem is not None:
                message = f"Row {number}, line {record.line} of the file: {problem.message}"
                raise DataError(message, problem.fix or HINT, code=problem.code)
            example, split = data_format.to_example(row), split_column.of(row)
            yield example.model_copy(update={"split": split}) if split else example


def has_split(path: str | Path, split: Split) -> bool:
    """Whether the file at `path` puts a row into `split`."""
    if holds_rows(Path(path)):
        return any(split in batch.splits for batch in RowStore(Path(path)).batches())
    records = open_records(path)
    if not SplitColumn(sample_of(records)).is_marker:
        return False
    rows = (record.row for record in records if isinstance(record, Record))
    return any(split_of(row) == split for row in rows)
