"""Tables: CSV and TSV, with quoted cells over several lines and rows of the wrong width."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.readers.cleaning import clean, is_dirty
from maxaillm.dev.finetune.readers.encoding import Encoding
from maxaillm.dev.finetune.readers.lines import SNIPPET_CHARS, Line, lines, too_long
from maxaillm.dev.finetune.readers.records import MAX_COLUMNS, RECORD_CHARS, BadRecord, Note, Record
from maxaillm.dev.finetune.readers.sources import Source


class Layout(NamedTuple):
    """How a table is written down."""

    delimiter: str
    has_quotes: bool
    """False: a quotation mark is a character like any other, as in most TSV files."""
    has_header: bool = True


class Cells(NamedTuple):
    line: int
    values: list[str]
    source: str


def read_table(
    source: Source, encoding: Encoding, layout: Layout, columns: tuple[str, ...]
) -> Iterator[Record | BadRecord]:
    is_header_ahead = layout.has_header
    with encoding.open(source) as file:
        for cells in split_rows(lines(file), layout):
            if is_header_ahead:
                is_header_ahead = False
            elif isinstance(cells, BadRecord):
                yield cells
            else:
                yield record_of(cells, columns, is_broken=encoding.is_broken)


def record_of(
    cells: Cells, columns: tuple[str, ...], *, is_broken: bool = False
) -> Record | BadRecord:
    line, values, source = cells
    if len(values) != len(columns):
        surplus = values[len(columns) :]
        if not surplus or any(value.strip() for value in surplus):
            return ragged(cells, len(columns))
    row = dict(zip(columns, values, strict=False))
    if is_dirty(source, is_broken=is_broken):
        notes: set[Note] = set()
        return Record(clean(row, notes), line, tuple(sorted(notes)))
    return Record(row, line)


def ragged(cells: Cells, width: int) -> BadRecord:
    found = len(cells.values)
    return BadRecord(
        cells.line,
        "wrong_width",
        f"This row has {found} cell{'s' * (found != 1)}, the table has {width} columns.",
        cells.source[:SNIPPET_CHARS],
        "Put cells that hold the delimiter into quotation marks.",
    )


def split_rows(source: Iterable[Line], layout: Layout) -> Iterator[Cells | BadRecord]:
    """The rows of a table without its blank lines.

    A row that Python's reader refuses, such as one with a quotation mark that is never closed,
    costs its first line only: reading goes on with the next.
    """
    csv.field_size_limit(RECORD_CHARS + 1)
    rows = RowLines(source)
    while True:
        reader = csv.reader(
            rows,
            delimiter=layout.delimiter,
            quoting=csv.QUOTE_MINIMAL if layout.has_quotes else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for values in reader:
                taken = rows.take()
                if values and (len(values) > 1 or not values[0].isspace()):
                    yield Cells(taken[0].number, values, "".join(line.text for line in taken))
            return
        except csv.Error:
            yield rows.give_up()


class RowLines:
    """The lines of the row being read, which can be handed back for reading once more."""

    def __init__(self, source: Iterable[Line]) -> None:
        self.source = iter(source)
        self.taken: list[Line] = []
        self.taken_chars = 0
        self.waiting: deque[Line] = deque()

    def __iter__(self) -> RowLines:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else next(self.source)
        self.taken.append(line)
        self.taken_chars += len(line.text)
        if not line.is_whole or self.taken_chars > RECORD_CHARS:
            raise csv.Error("too long")
        return line.text

    def take(self) -> list[Line]:
        taken, self.taken, self.taken_chars = self.taken, [], 0
        return taken

    def give_up(self) -> BadRecord:
        first, *rest = self.take()
        self.waiting.extendleft(reversed(rest))
        if not first.is_whole:
            return too_long(first)
        return BadRecord(
            first.number,
            "unclosed_quote",
            "A quotation mark that opens a cell in this row is not closed, "
            "or text follows the closing one.",
            first.text[:SNIPPET_CHARS],
            "Close the cell with a quotation mark; within it write each one twice.",
        )


def column_names(header: list[str]) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """A name for each column: an empty one is numbered, a repeated one gets a number."""
    if len(header) > MAX_COLUMNS:
        raise DataError(
            f"The table has {len(header):,} columns; {MAX_COLUMNS:,} are allowed.",
            "Keep the columns that are trained on.",
            code="too_many_columns",
        )
    notes: set[Note] = set()
    names: dict[str, None] = {}
    for number, cell in enumerate(header, start=1):
        name = wanted = " ".join(clean(cell, notes).split()) or f"column_{number}"
        copy = 2
        while name in names:
            name, copy = f"{wanted}_{copy}", copy + 1
        if name != wanted:
            message = f"Two columns are named {wanted!r}; the second is called {name!r} here."
            notes.add(Note("duplicate_column", message))
        names[name] = None
    return tuple(names), tuple(sorted(notes))
