"""Headers of tables: the names of the columns, from one row or several, and what stands above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from maxaillm.dev.finetune.data.readers.cleaning import clean
from maxaillm.dev.finetune.data.readers.records import MAX_COLUMNS, Note
from maxaillm.dev.finetune.errors import DataError

UNNAMED = re.compile(r"(unnamed: ?\d+|)", re.IGNORECASE)
"""What stands above the numbers of rows that pandas has written down, or read once more."""


def rows_above(count: int) -> Note:
    is_one = count == 1
    what = "The line above the table is" if is_one else f"The {count:,} lines above the table are"
    return Note("rows_above", f"{what} left out.")


def joined_header(rows: Sequence[Sequence[str]]) -> list[str]:
    """One name a column where several rows hold them; a name goes on to the right where none is."""
    names: list[list[str]] = [[] for _ in range(max(map(len, rows), default=0))]
    for number, row in enumerate(rows, start=1):
        last = ""
        for at, found in enumerate(names):
            cell = row[at].strip() if at < len(row) else ""
            last = cell or (last if number < len(rows) else "")
            if last and last not in found:
                found.append(last)
    return [" ".join(found) for found in names]


def with_index_named(header: list[str], first: Sequence[object]) -> list[str]:
    """`header` where the first column, of which `first` are cells, only numbers the rows."""
    if not header or not UNNAMED.fullmatch(header[0].strip()) or not are_running(first):
        return header
    if any(name.strip().lower() == "index" for name in header):
        return header
    return ["index", *header[1:]]


def are_running(cells: Sequence[object]) -> bool:
    try:
        numbers = [int(str(cell)) for cell in cells]
    except ValueError:
        return False
    return len(numbers) > 1 and all(b == a + 1 for a, b in pairwise(numbers))


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
