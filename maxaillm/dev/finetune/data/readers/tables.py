"""Tables: CSV and TSV, with quoted cells over several lines and rows of the wrong width."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple, TextIO

from maxaillm.dev.finetune.data.readers.cleaning import clean, is_dirty
from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.lines import (
    SNIPPET_CHARS,
    Line,
    LineBlocks,
    is_too_long,
    too_long,
)
from maxaillm.dev.finetune.data.readers.records import (
    RECORD_CHARS,
    Aside,
    BadRecord,
    Note,
    Record,
    new_record,
)
from maxaillm.dev.finetune.data.readers.sources import Source

ESCAPED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
"""A quotation mark with a backslash before it."""
ENDS_EARLY = "unexpected end of data"
"""What Python's reader says where a quotation mark is not closed."""


class Layout(NamedTuple):
    """How a table is written down."""

    delimiter: str
    has_quotes: bool
    """False: a quotation mark is a character like any other, as in most TSV files."""
    header_rows: int = 1
    """How many rows hold the names of the columns."""
    skip_rows: int = 0
    """How many lines stand above them."""
    has_escapes: bool = False
    """Whether a quotation mark within a cell has a backslash before it, not another one."""


class Rows(NamedTuple):
    """Some rows of a table without its blank lines, and the lines that they were read from."""

    cells: list[list[str]]
    starts: list[int]
    """Where in `lines` each row starts."""
    lines: list[str]
    number: int
    """That of the first of `lines` in the file."""

    def without(self, places: Collection[int]) -> Rows:
        """These but for the rows at `places`."""
        if not places:
            return self
        kept = [at for at in range(len(self.cells)) if at not in places]
        starts = [self.starts[at] for at in kept]
        return self._replace(cells=[self.cells[at] for at in kept], starts=starts)

    def source(self, row: int) -> str:
        """The text of a row, without the blank lines after it."""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.lines)
        return "".join(self.lines[self.starts[row] : end]).rstrip()


class TableReader:
    """Reads the records of a table, from the start each time."""

    def __init__(
        self, source: Source, encoding: Encoding, layout: Layout, columns: tuple[str, ...]
    ) -> None:
        self.source, self.encoding = source, encoding
        self.layout, self.columns = layout, columns
        self.aside = Aside()

    def read(self) -> Iterator[Record | BadRecord]:
        self.aside.clear()
        ahead, header, again = self.layout.header_rows, None, 0
        with self.encoding.open(self.source) as file:
            for part in split_rows(file, self.layout):
                if isinstance(part, BadRecord):
                    if not ahead:
                        yield part
                    ahead = max(0, ahead - 1)
                    continue
                if ahead and part.cells:
                    header = part.cells[0] if self.layout.header_rows == 1 else None
                rows = part.without(range(min(ahead, len(part.cells))))
                ahead -= len(part.cells) - len(rows.cells)
                if header in rows.cells:
                    places = [at for at, cells in enumerate(rows.cells) if cells == header]
                    again, rows = again + len(places), rows.without(places)
                yield from records_of(rows, self.columns, is_broken=self.encoding.is_broken)
        if again:
            self.aside.add(repeated_header(again))


def repeated_header(count: int) -> Note:
    message = (
        f"The names of the columns stand there {count:,} time{'s' * (count != 1)} more, as in "
        "files that were joined: these lines are no rows."
    )
    return Note("repeated_header", message)


def records_of(
    rows: Rows, columns: tuple[str, ...], *, is_broken: bool
) -> Iterator[Record | BadRecord]:
    is_even = set(map(len, rows.cells)) <= {len(columns)}
    if is_even and not is_dirty("".join(rows.lines), is_broken=is_broken):
        for start, cells in zip(rows.starts, rows.cells, strict=True):
            yield new_record((dict(zip(columns, cells)), rows.number + start, ()))  # noqa: B905
        return
    for at in range(len(rows.cells)):
        yield record_of(rows, at, columns, is_broken=is_broken)


def record_of(
    rows: Rows, at: int, columns: tuple[str, ...], *, is_broken: bool
) -> Record | BadRecord:
    cells, line = rows.cells[at], rows.number + rows.starts[at]
    if len(cells) != len(columns):
        surplus = cells[len(columns) :]
        if not surplus or any(cell.strip() for cell in surplus):
            return ragged(line, len(cells), len(columns), rows.source(at))
    row = dict(zip(columns, cells, strict=False))
    if is_dirty(rows.source(at), is_broken=is_broken):
        notes: set[Note] = set()
        return Record(clean(row, notes), line, tuple(sorted(notes)))
    return Record(row, line)


def ragged(line: int, found: int, width: int, source: str) -> BadRecord:
    return BadRecord(
        line,
        "wrong_width",
        f"This row has {found} cell{'s' * (found != 1)}, the table has {width} columns.",
        source[:SNIPPET_CHARS],
        "Put cells that hold the delimiter into quotation marks.",
    )


def split_rows(file: TextIO, layout: Layout) -> Iterator[Rows | BadRecord]:
    """The rows of a table, many at a time.

    A row that Python's reader refuses, such as one with a quotation mark that is never closed,
    costs its first line only: reading goes on with the next.
    """
    csv.field_size_limit(RECORD_CHARS + 1)
    blocks = LineBlocks(file)
    number, skipped = 1, layout.skip_rows
    while lines := blocks.take():
        if skipped:
            above, lines = lines[:skipped], lines[skipped:]
            number, skipped = number + len(above), skipped - len(above)
            if not lines:
                continue
        start, has_long = 0, max(map(len, lines)) >= RECORD_CHARS
        while start < len(lines):
            waiting = lines[start:]
            readable = map(refuse_too_long, waiting) if has_long else iter(waiting)
            if layout.has_escapes:
                readable = map(doubled_quotes, readable)
            cells, starts, fault = read_rows(readable, layout)
            end = start + starts.pop()
            yield Rows(cells, starts, lines[start:end], number + start)
            if fault == ENDS_EARLY and not blocks.is_at_end and fits(lines[end:]):
                blocks.put_back(lines[end:])
                lines = lines[:end]
            elif fault:
                yield refused(Line(number + end, lines[end]))
                end += 1
            start = end
        number += len(lines)


def fits(lines: list[str]) -> bool:
    """Whether there is room for the rest of a row that begins with `lines`."""
    return sum(map(len, lines)) <= RECORD_CHARS and not any(map(is_too_long, lines))


def read_rows(lines: Iterator[str], layout: Layout) -> tuple[list[list[str]], list[int], str]:
    """Rows, where in `lines` each starts and the last one ends, and what ended the reading."""
    reader = csv.reader(
        lines,
        delimiter=layout.delimiter,
        quoting=csv.QUOTE_MINIMAL if layout.has_quotes else csv.QUOTE_NONE,
        strict=True,
    )
    rows: list[list[str]] = []
    starts: list[int] = []
    end, fault = 0, ""
    try:
        for cells in reader:
            if cells and (len(cells) > 1 or not cells[0].isspace()):
                rows.append(cells)
                starts.append(end)
            end = reader.line_num
    except csv.Error as error:
        fault = str(error)
    return rows, [*starts, end], fault


def doubled_quotes(line: str) -> str:
    return ESCAPED.sub(r'\1""', line)


def refuse_too_long(line: str) -> str:
    if is_too_long(line):
        raise csv.Error("too long")
    return line


def refused(line: Line) -> BadRecord:
    if is_too_long(line.text):
        return too_long(line)
    return BadRecord(
        line.number,
        "unclosed_quote",
        "A quotation mark that opens a cell in this row is not closed, "
        "or text follows the closing one.",
        line.text[:SNIPPET_CHARS],
        "Close the cell with a quotation mark; within it write each one twice.",
    )
