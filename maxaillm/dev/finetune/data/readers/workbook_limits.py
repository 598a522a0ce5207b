"""How large a workbook is once it is open, told before: a small file can hold a huge sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NoReturn
from zipfile import ZipFile, ZipInfo

from maxaillm.dev.finetune.data.readers.packing import FAULTS
from maxaillm.dev.finetune.errors import DataError

MAX_BYTES = 500 * 10**6
MAX_CELLS = 5 * 10**6
"""From the first to the last row and column that are used, empty cells included."""
PIECE_BYTES = 2**20
OVERLAP_BYTES = 2**10
CELL = re.compile(rb"""<c\s[^>]*?\br\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["'][^>]*(?<!/)>""")
"""A cell of a sheet that holds something, and its place."""


def refuse_bomb(file: BinaryIO) -> None:
    """Raise DataError for a workbook that is damaged or too large; `file` is a ZIP archive."""
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            if size > MAX_BYTES:
                refuse(f"{size / 10**6:,.0f} MB unpacked, {MAX_BYTES / 10**6:,.0f} are allowed")
            for part in parts:
                refuse_wide(archive, part)
    except FAULTS as error:
        raise DataError(
            f"The workbook can't be unpacked: {error}.",
            "It may be cut off: get it once more, or save it as CSV.",
            code="broken_file",
        ) from error


def refuse_wide(archive: ZipFile, part: ZipInfo) -> None:
    """Reads all of `part`, so that its size and checksum are known to be true."""
    rows: set[int] = set()
    columns: set[int] = set()
    for piece in pieces(archive, part):
        places = CELL.findall(piece)
        columns.update(map(column_number, {column for column, _ in places}))
        rows.update(int(row) for row in {row for _, row in places})
        rows = {min(rows), max(rows)} if rows else rows
        if columns and (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1) > MAX_CELLS:
            refuse(f"a sheet of more than {MAX_CELLS:,} cells, from the first used to the last")


def pieces(archive: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    """Overlapping, so that no cell lies between two of them unseen."""
    tail = b""
    with archive.open(part) as file:
        while piece := file.read(PIECE_BYTES):
            yield tail + piece
            tail = piece[-OVERLAP_BYTES:]


def column_number(name: bytes) -> int:
    number = 0
    for letter in name:
        number = number * 26 + letter - ord("A") + 1
    return number


def refuse(what: str) -> NoReturn:
    raise DataError(
        f"The workbook is too large: {what}.",
        "Save the sheet as CSV.",
        code="workbook_too_large",
    )
