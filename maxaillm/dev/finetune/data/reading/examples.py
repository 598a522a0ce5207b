"""Examples of a training file, read one by one; the first mistake ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.formats import DataFormat, stored_format
from maxaillm.dev.finetune.data.readers import (
    BadRecord,
    Note,
    ReadOptions,
    Record,
    Records,
    open_records,
)
from maxaillm.dev.finetune.data.reading.amplification import Unfolded
from maxaillm.dev.finetune.data.reading.recognition import format_of, refuse_doubt, sample_of
from maxaillm.dev.finetune.data.reading.unread import UnreadKeys
from maxaillm.dev.finetune.data.rows.splits import Split, SplitColumn, split_of
from maxaillm.dev.finetune.data.rows.values import RowProblem
from maxaillm.dev.finetune.data.store.store import RowStore, holds_rows
from maxaillm.dev.finetune.errors import DataError

HINT = "`validate` lists every mistake of the file."
LISTED = "`validate` says more of each, and how many rows it is about."
TOLD_NAMES = 12
Tell = Callable[[str, str], object]
"""Takes a sentence on what a file holds beside its examples, and what helps."""


def read_examples(
    path: str | Path,
    format: DataFormat | None = None,
    options: ReadOptions | None = None,
    tell: Tell = lambda _message, _hint: None,
) -> Iterator[Example]:
    """The examples in the file at `path`; without `format` it is recognised. `options` say how
    the file is written, where it does not tell itself. Once all are read, `tell` is called with
    what else is in the file: other sheets, columns and keys that are not read, altered characters.

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
    beside = Beside(records, UnreadKeys(data_format, split_column))
    unfold, number = data_format.unfolder(), 0
    for record in records:
        if isinstance(record, BadRecord):
            raise refused(record, number + 1)
        beside.see(record)
        rows = Unfolded(record.row, unfold(record.row))
        for row in rows:
            number += 1
            if problem := data_format.check(row) or split_column.problem(row):
                raise wrong(problem, record, number)
            fields, split = data_format.to_fields(row), split_column.of(row)
            rows.took(fields)
            example = data_format.gives.model_validate(fields)
            yield example.model_copy(update={"split": split}) if split else example
        if problem := rows.problem:
            raise wrong(problem, record, number + 1)
    beside.tell(tell)


def wrong(problem: RowProblem, record: Record, number: int) -> DataError:
    message = f"Row {number}, line {record.line} of the file: {problem.message}"
    return DataError(message, problem.fix or HINT, code=problem.code)


def refused(record: BadRecord, number: int) -> DataError:
    message = f"Row {number}, line {record.line} of the file: {record.message}"
    return DataError(message, record.fix or HINT, code=record.code)


class Beside:
    """What a file holds beside its examples, as it is read."""

    def __init__(self, records: Records, unread: UnreadKeys | None = None) -> None:
        self.records, self.unread = records, unread
        self.notes: Counter[Note] = Counter()

    def see(self, record: Record) -> None:
        self.notes.update(record.notes)
        if self.unread is not None:
            self.unread.see(record.row)

    def tell(self, tell: Tell) -> None:
        """To be called after the last record: the file's own notes are whole only then."""
        for note in (*self.records.notes, *self.records.aside.notes()):
            tell(note.message, "")
        for note, rows in self.notes.items():
            tell(f"In {rows:,} row{'s' * (rows != 1)}: {note.message}", LISTED)
        if names := self.unread.names() if self.unread is not None else []:
            more = f" and {len(names) - TOLD_NAMES:,} more" if names[TOLD_NAMES:] else ""
            tell(f"Not read: {', '.join(names[:TOLD_NAMES])}{more}.", LISTED)


def has_split(path: str | Path, split: Split, options: ReadOptions | None = None) -> bool:
    """Whether the file at `path` puts a row into `split`."""
    if holds_rows(Path(path)):
        return any(split in batch.splits for batch in RowStore(Path(path)).batches())
    records = open_records(path, options=options)
    if not SplitColumn(sample_of(records)).is_marker:
        return False
    rows = (record.row for record in records if isinstance(record, Record))
    return any(split_of(row) == split for row in rows)
