"""Workbooks of Excel and LibreOffice: the first sheet with data, read like a table."""

from __future__ import annotations

from typing import BinaryIO
from zipfile import ZipFile

from maxaillm.dev.finetune.data.readers.packing import FAULTS, ZIP_MAGIC
from maxaillm.dev.finetune.data.readers.records import Note, Records
from maxaillm.dev.finetune.data.readers.sheet_tables import SheetTable
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.readers.workbook_limits import refuse_bomb
from maxaillm.dev.finetune.data.readers.zip_archives import is_workbook
from maxaillm.dev.finetune.errors import DataError

OLD_OFFICE = b"\xd0\xcf\x11\xe0"
"""XLS files begin so, as do other files of Office, and new ones with a password."""


def holds_workbook(source: Source, head: bytes) -> bool:
    if head.startswith(OLD_OFFICE):
        return True
    if not ZIP_MAGIC.match(head):
        return False
    try:
        with source.open_seekable() as file, ZipFile(file) as archive:
            return is_workbook(set(archive.namelist()))
    except FAULTS:
        return False


def workbook_records(source: Source) -> Records:
    """Raises DataError where the file is damaged, too large, protected or without data."""
    from python_calamine import CalamineError, PasswordError

    is_old = source.head().startswith(OLD_OFFICE)
    with source.open_seekable() as file:
        if not is_old:
            refuse_bomb(file)
            file.seek(0)
        try:
            table, notes = first_table(file)
        except PasswordError as error:
            raise DataError(
                "The workbook is protected with a password.",
                "Save it without one, or as CSV.",
                code="encrypted",
            ) from error
        except (CalamineError, OSError) as error:
            raise DataError(
                f"The file looks like a workbook but can't be read: {error}.",
                "Save the sheet as XLSX or CSV.",
                code="unsupported_file" if is_old else "broken_file",
            ) from error
    return Records(
        "spreadsheet",
        "",
        table.read,
        columns=table.columns,
        notes=(*notes, *table.notes),
        progress=table.progress,
    )


def first_table(file: BinaryIO) -> tuple[SheetTable, tuple[Note, ...]]:
    """The first visible sheet with anything in it; a note names the others."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    workbook = CalamineWorkbook.from_filelike(file)
    names = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    filled = (sheet for sheet in map(workbook.get_sheet_by_name, names) if sheet.height)
    sheet = next(filled, None)
    if sheet is None:
        raise DataError("The workbook is empty.", "Choose a file with rows.", code="empty_file")
    table = SheetTable(sheet)
    others = [other.name for other in filled]
    if not others:
        return table, ()
    left = ", ".join(map(repr, others[:5])) + (" and more" if len(others) > 5 else "")
    message = f"Only the sheet {sheet.name!r} is read; left out: {left}."
    return table, (Note("other_sheets", message),)
