"""Reading data files record by record, in bounded memory. `open_records` is the way in."""

from __future__ import annotations

from pathlib import Path

from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions
from maxaillm.dev.finetune.data.readers.records import BadRecord, Kind, Note, Record, Records
from maxaillm.dev.finetune.data.readers.sniffing import sniff
from maxaillm.dev.finetune.errors import DataError

__all__ = ["BadRecord", "Kind", "Note", "ReadOptions", "Record", "Records", "open_records"]


def open_records(
    path: str | Path,
    *,
    name: str | None = None,
    options: ReadOptions | None = None,
    most_bytes: int | None = None,
) -> Records:
    """Find out how the file at `path` is written; `name` is what its owner called it.

    `options` say what the file itself doesn't tell. With `most_bytes` only the beginning of a
    text file is read, for a look at it.

    Raises DataError where it is not there, holds no records or is no data file.
    """
    if not Path(path).is_file():
        raise DataError(f"There is no file {path}.", "Check the path.", code="no_file")
    records = sniff(Path(path), name or Path(path).name, options or NOTHING_SAID, most_bytes)
    if next(iter(records), None) is None:
        raise DataError(*no_rows(records.columns), code="no_rows")
    return records


def no_rows(columns: tuple[str, ...] | None) -> tuple[str, str]:
    if columns:
        return "The file has a header but no rows.", "Add rows below the header."
    return "The file holds no rows.", "Choose a file with at least one row."
