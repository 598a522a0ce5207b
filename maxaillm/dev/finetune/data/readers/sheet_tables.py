"""A sheet of a workbook as a table: its header, the columns that are used, cells as values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.data.readers.arrow_values import size_of
from maxaillm.dev.finetune.data.readers.cleaning import clean
from maxaillm.dev.finetune.data.readers.headers import (
    column_names,
    joined_header,
    rows_above,
    with_index_named,
)
from maxaillm.dev.finetune.data.readers.layout import is_header, named_row
from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions
from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS, BadRecord, Note, Record

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

SAMPLED_ROWS = 100
LONG_CELL_CHARS = 10_000
"""A row that is too long has at least one such."""
MERGED = Note("merged_cells", "Cells are merged; each row that they cover gets their value.")
Cell = str | float | int | bool | date | time | datetime | timedelta
"""An empty one is ""."""
Value = str | float | int | bool


class Line(NamedTuple):
    """A row of a sheet with anything in it, and its number there."""

    number: int
    cells: list[Cell]


class Area(NamedTuple):
    """Merged cells: rows as numbered in the sheet, columns as positions in a line."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


class SheetTable:
    """The records of a sheet; it is looked through once before, for what its columns hold."""

    def __init__(self, sheet: CalamineSheet, options: ReadOptions = NOTHING_SAID) -> None:
        self.sheet, self.done = sheet, 0
        lines = (line for line in lines_of(sheet) if line.number > (options.skip_rows or 0))
        sample = list(islice(lines, SAMPLED_ROWS))
        top = top_row(sample) if options.skip_rows is None else 0
        texts = [[text_of(cell) for cell in line.cells] for line in sample[top:]]
        count = self.header_rows(sample[top:], texts, options.header_rows)
        above = sample[top].number - 1 if sample else 0
        self.options = ReadOptions(skip_rows=min(above, 1000), header_rows=count)
        self.first_row = sample[top + count - 1].number + 1 if count else above + 1
        kinds = kinds_of(line.cells for line in self.lines())
        header = with_index_named(joined_header(texts[:count]), firsts(texts[count:]))
        names = [*header, *[""] * (len(kinds) - len(header))]
        kinds += [set()] * (len(names) - len(kinds))
        used = [at for at, name in enumerate(names) if name or kinds[at]]
        self.writers = [(at, text_of if str in kinds[at] else value_of) for at in used]
        self.columns, notes = column_names([names[at] for at in used])
        self.merged = self.areas()
        self.notes = (
            *notes,
            *([rows_above(top)] if top else []),
            *([MERGED] if self.merged else []),
        )

    def header_rows(self, sample: list[Line], texts: list[list[str]], said: int | None) -> int:
        """How many rows hold the names: two where cells of the first go over several columns."""
        if said is not None:
            return min(said, len(sample))
        if not texts or not is_header(texts[0], texts[1:], ".csv"):
            return 0
        row = sample[0].number - 1
        is_wide = any(
            top == end == row and last > first
            for (top, first), (end, last) in self.sheet.merged_cell_ranges or []
        )
        return 2 if is_wide and len(texts) > 2 else 1

    def lines(self) -> Iterator[Line]:
        return (line for line in lines_of(self.sheet) if line.number >= self.first_row)

    def progress(self) -> float:
        return self.done / ((self.sheet.end or (0, 0))[0] + 1)

    def areas(self) -> list[Area]:
        """The merged cells below the header, from top to bottom."""
        left = (self.sheet.start or (0, 0))[1]
        ranges = self.sheet.merged_cell_ranges or []
        areas = [
            Area(top + 1, end + 1, first - left, last - left)
            for (top, first), (end, last) in ranges
        ]
        return sorted(area for area in areas if area.first_row >= self.first_row)

    def read(self) -> Iterator[Record | BadRecord]:
        waiting = self.merged[::-1]
        open_areas: list[tuple[Area, Cell]] = []
        for number, cells in self.lines():
            self.done = number
            open_areas = [each for each in open_areas if each[0].last_row >= number]
            while waiting and waiting[-1].first_row <= number:
                area = waiting.pop()
                if area.first_row == number and area.first_column < len(cells):
                    open_areas.append((area, cells[area.first_column]))
            for area, cell in open_areas:
                for at in range(area.first_column, min(area.last_column + 1, len(cells))):
                    cells[at] = cell
            yield self.record_of(number, cells)

    def record_of(self, number: int, cells: list[Cell]) -> Record | BadRecord:
        values = [
            cells[at] if type(cells[at]) is str else write(cells[at])  # most are texts
            for at, write in self.writers
        ]
        row = dict(zip(self.columns, values, strict=True))
        if not any(isinstance(value, str) and is_odd(value) for value in values):
            return Record(row, number)
        if size_of(row) > RECORD_CHARS:
            message = f"This row is longer than {RECORD_CHARS // 2**20} million characters."
            return BadRecord(number, "record_too_long", message, "", "Split it into several rows.")
        notes: set[Note] = set()
        return Record(clean(row, notes), number, tuple(notes))


def is_odd(text: str) -> bool:
    return "\0" in text or len(text) > LONG_CELL_CHARS


def lines_of(sheet: CalamineSheet) -> Iterator[Line]:
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if cells.count("") < len(cells):
            yield Line(number, cells)


def top_row(sample: list[Line]) -> int:
    """Where the table begins: a title or a remark above it fills fewer cells."""
    named = named_row([[text_of(cell) for cell in line.cells] for line in sample], width_of(sample))
    if named is not None:
        return named
    filled = [len(line.cells) - line.cells.count("") for line in sample]
    return next((at for at, count in enumerate(filled) if 2 * count >= max(filled)), 0)


def width_of(sample: list[Line]) -> int:
    return max((len(line.cells) for line in sample), default=0)


def firsts(texts: list[list[str]]) -> list[str]:
    return [row[0] for row in texts if row]


def kinds_of(rows: Iterator[list[Cell]]) -> list[set[type]]:
    """What the cells of each column are, the empty ones left out."""
    kinds: list[set[type]] = []
    while some := list(islice(rows, SAMPLED_ROWS)):
        kinds += [set() for _ in range(max(map(len, some)) - len(kinds))]
        for found, column in zip(kinds, zip_longest(*some, fillvalue=""), strict=False):
            found.update(map(type, set(column) - {""}))
    return kinds


def value_of(cell: Cell) -> Value:
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else cell
    return cell if isinstance(cell, int) else text_of(cell)


def text_of(cell: Cell) -> str:
    """`cell` as it would stand in a CSV file."""
    match cell:
        case str():
            return cell
        case bool():
            return str(cell).lower()
        case float() | int():
            return str(value_of(cell))
        case datetime():
            return cell.isoformat(" ")
        case timedelta():
            return str(cell)
        case _:
            return cell.isoformat()
