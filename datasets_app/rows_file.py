"""Rows as JSON lines beside an index, so that any page of them is read in the same time.

The index has one entry a row: where the row begins, and the number of its record in the file as
it was uploaded, both as unsigned 64-bit little-endian integers.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, NamedTuple, Self

from maxaillm.dev.finetune.formats import Example

ROWS, INDEX = "rows.jsonl", "rows.index"
ENTRY = Struct("<QQ")
PAGE_BYTES = 8 * 2**20
"""A page ends early rather than hold more than this (and one row) in memory."""


class StoredRow(NamedTuple):
    """An example and the number of its record, from 1, header not counted."""

    number: int
    example: dict[str, Any]


class RowsWriter:
    """Writes rows and index into a new folder; on leaving, both are on the disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.rows = (folder / ROWS).open("wb")
        self.index = (folder / INDEX).open("wb")
        self.offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in (self.rows, self.index):
            with file:
                file.flush()
                os.fsync(file.fileno())

    def add(self, number: int, example: Example) -> None:
        line = example.model_dump_json(exclude_none=True).encode() + b"\n"
        self.rows.write(line)
        self.index.write(ENTRY.pack(self.offset, number))
        self.offset += len(line)


def read_rows(folder: Path, offset: int, limit: int) -> list[StoredRow]:
    """Up to `limit` rows from the `offset`-th on (from 0)."""
    with (folder / INDEX).open("rb") as index, (folder / ROWS).open("rb") as rows:
        index.seek(offset * ENTRY.size)
        entries = list(ENTRY.iter_unpack(index.read(limit * ENTRY.size)))
        if not entries:
            return []
        rows.seek(entries[0][0])
        page = []
        for begin, number in entries:
            if begin - entries[0][0] > PAGE_BYTES:
                break
            page.append(StoredRow(number, json.loads(rows.readline())))
        return page


def position_of(folder: Path, number: int) -> int:
    """How many rows come before record `number`: its offset, where it is among the rows."""
    path = folder / INDEX
    with path.open("rb") as index:

        def number_at(position: int) -> int:
            index.seek(position * ENTRY.size)
            return int(ENTRY.unpack(index.read(ENTRY.size))[1])

        return bisect_left(range(path.stat().st_size // ENTRY.size), number, key=number_at)
