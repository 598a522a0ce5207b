"""Workbooks of Excel and LibreOffice: a sheet, or one for each split, read like a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZipFile

from maxaillm.dev.finetune.data.readers.layout import names_columns
from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions
from maxaillm.dev.finetune.data.readers.packing import FAULTS, ZIP_MAGIC
from maxaillm.dev.finetune.data.readers.records import BadRecord, Note, Record, Records
from maxaillm.dev.finetune.data.readers.sheet_tables import SheetTable
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.readers.workbook_limits import refuse_bomb
from maxaillm.dev.finetune.data.readers.zip_archives import is_workbook
from maxaillm.dev.finetune.data.rows.splits import COLUMN, Split, split_of, split_of_path
from maxaillm.dev.finetune.errors import DataError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

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


def workbook_records(source: Source, options: ReadOptions = NOTHING_SAID) -> Records:
    """Raises DataError where the file is damaged, too large, protected or without data."""
    from python_calamine import CalamineError, PasswordError

    is_old = source.head().startswith(OLD_OFFICE)
    with source.open_seekable() as file:
        if not is_old:
            refuse_bomb(file)
            file.seek(0)
        try:
            return records_of(Sheets(file), options)
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


class Sheets:
    """The sheets of a workbook with anything in them, and how many rows each has."""

    def __init__(self, file: BinaryIO) -> None:
        from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

        book = CalamineWorkbook.from_filelike(file)
        self.tables: dict[str, CalamineSheet] = {}
        self.visible: list[str] = []
        for about in book.sheets_metadata:
            if about.typ != SheetTypeEnum.WorkSheet:
                continue
            sheet = book.get_sheet_by_name(about.name)
            if sheet.height:
                self.tables[about.name] = sheet
                if about.visible == SheetVisibleEnum.Visible:
                    self.visible.append(about.name)

    def left_out(self, read: Collection[str]) -> tuple[Note, ...]:
        """What is not read, in a note."""
        others = [
            f"{name!r} ({sheet.height:,} rows)"
            for name, sheet in self.tables.items()
            if name not in read
        ]
        if not others:
            return ()
        told = ", ".join(others[:5]) + (" and more" if len(others) > 5 else "")
        names = ", ".join(map(repr, read))
        message = f"Only the sheet {names} is read; left out: {told}. Choose the one that you mean."
        return (Note("other_sheets", message),)


def records_of(sheets: Sheets, options: ReadOptions) -> Records:
    """Those of the sheet that was chosen; of one for each split, where their names say so; of the
    first with known columns, or the first of all."""
    if options.sheet is not None:
        return records_of_sheet(sheets, chosen_sheet(sheets, options.sheet), options)
    if not sheets.visible:
        raise DataError("The workbook is empty.", "Choose a file with rows.", code="empty_file")
    splits = {name: split_of_path(name) for name in sheets.visible}
    if len(splits) > 1 and all(splits.values()):
        return records_of_splits(sheets, splits, options)
    named = (name for name in sheets.visible if holds_known_columns(sheets.tables[name], options))
    return records_of_sheet(sheets, next(named, sheets.visible[0]), options)


def chosen_sheet(sheets: Sheets, name: str) -> str:
    if name in sheets.tables:
        return name
    raise DataError(
        f"There is no sheet {name!r:.60} with anything in it.",
        f"Choose one of {', '.join(map(repr, list(sheets.tables)[:12]))}.",
        code="no_sheet",
    )


def holds_known_columns(sheet: CalamineSheet, options: ReadOptions) -> bool:
    return names_columns(SheetTable(sheet, options).columns)


def records_of_sheet(sheets: Sheets, name: str, options: ReadOptions) -> Records:
    table = SheetTable(sheets.tables[name], options)
    return Records(
        "spreadsheet",
        "",
        table.read,
        columns=table.columns,
        notes=(*sheets.left_out([name]), *table.notes),
        options=table.options.model_copy(update={"sheet": name}),
        sheets=tuple(sheets.tables),
        progress=table.progress,
    )


def records_of_splits(
    sheets: Sheets, splits: Mapping[str, Split | None], options: ReadOptions
) -> Records:
    """One sheet after the other, each with lines of its own."""
    tables = {name: SheetTable(sheets.tables[name], options) for name in splits}

    def read() -> Iterator[Record | BadRecord]:
        for name, table in tables.items():
            for record in table.read():
                if isinstance(record, Record) and split_of(record.row) is None:
                    record.row[COLUMN] = splits[name]
                yield record

    def progress() -> float:
        return sum(table.progress() for table in tables.values()) / len(tables)

    told = ", ".join(f"{name!r}: {split}" for name, split in splits.items())
    several = Note("several_sheets", f"Sheets are read one after the other. {told}.")
    names = dict.fromkeys(name for table in tables.values() for name in table.columns)
    notes = dict.fromkeys(note for table in tables.values() for note in table.notes)
    return Records(
        "spreadsheet",
        "",
        read,
        columns=(*names, COLUMN),
        notes=(several, *sheets.left_out(list(splits)), *notes),
        options=options,
        sheets=tuple(sheets.tables),
        progress=progress,
    )
