"""What comes out of a data file: its records, good and bad, and how it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions

RECORD_CHARS = 16 * 2**20
"""A longer record is refused: nobody trains on it, and it would have to lie in memory whole."""
MAX_COLUMNS = 1_000

Kind = Literal["csv", "tsv", "json", "jsonl", "text", "spreadsheet", "parquet", "arrow", "conll"]


class Note(NamedTuple):
    """Something that was altered or looks odd but does not stop anything."""

    code: str
    message: str


class Record(NamedTuple):
    """A record as parsed, and where it starts.

    `line` is the line of a text file, the row of a spreadsheet, the number of a record else.
    """

    row: dict[str, Any]
    line: int
    notes: tuple[Note, ...] = ()


new_record = partial(tuple.__new__, Record)
"""Half the time of calling the class, which counts for a million rows."""


class BadRecord(NamedTuple):
    """A record that can't be parsed, and why."""

    line: int
    code: str
    message: str
    snippet: str
    fix: str = ""


class Aside:
    """What a reading has left out beside the records; whole once it has come to the end."""

    def __init__(self) -> None:
        self.found: dict[Note, None] = {}

    def clear(self) -> None:
        self.found.clear()

    def add(self, note: Note) -> None:
        self.found[note] = None

    def notes(self) -> tuple[Note, ...]:
        return tuple(self.found)


@dataclass(frozen=True)
class Records:
    """What a file turned out to be. Iterating reads it, from the start each time.

    Every record of the file comes out as either a Record or a BadRecord; where the rest of the
    file can't be read because of a mistake, iterating raises DataError with the line.
    """

    kind: Kind
    encoding: str
    """In words, such as "UTF-16, little endian"; "" where the format leaves no choice."""
    read: Callable[[], Iterator[Record | BadRecord]]
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None
    """The header of a table; a JSON file's columns show only as it is read."""
    notes: tuple[Note, ...] = ()
    packing: str | None = None
    """What the file had to be taken out of, such as "gzip"."""
    aside: Aside = field(default_factory=Aside)
    """What shows only at the end of a reading: more than the records was there."""
    options: ReadOptions = NOTHING_SAID
    """How it is read: what its owner said, and what was found out where nothing was said."""
    sheets: tuple[str, ...] = ()
    """Of a workbook, the sheets with anything in them."""
    doubt: str = ""
    """Why nobody but its owner can tell how it is to be read, in a sentence."""
    progress: Callable[[], float] | None = None
    """The share of the file that the reading has come to."""

    def __iter__(self) -> Iterator[Record | BadRecord]:
        return self.read()
