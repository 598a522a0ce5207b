"""Workbooks: the sheet, its header, cells as text or numbers, and what is too large or broken."""

from __future__ import annotations

import random
from datetime import date, datetime, time
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from maxaillm.dev.finetune.data.readers import open_records, sheet_tables, workbook_limits
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import error_of, read

NOON = datetime.fromisoformat("2024-02-29T12:00")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "upload"


def save(path, *sheets, merged=()):
    """Write a workbook of sheets, each a list of rows."""
    book = Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
        for area in merged:
            sheet.merge_cells(area)
    book.save(path)
    return path


def test_numbers_stay_numbers_and_what_stands_among_texts_is_text(path):
    header = ["text", "whole", "part", "mixed", "flag"]
    save(path, [header, ["a", 1.0, 2, "x", True], ["b", 3, 0.5, 7.0, False]])
    records = open_records(path)
    assert (records.kind, records.columns, records.notes) == ("spreadsheet", tuple(header), ())
    assert [tuple(row.values()) for row in read(path).rows] == [
        ("a", 1, 2, "x", True),
        ("b", 3, 0.5, "7", False),
    ]
    assert [record.line for record in records] == [2, 3]


def test_dates_are_written_as_iso_writes_them(path):
    save(path, [["text", "when"], ["a", date(2024, 2, 29)], ["b", NOON],
                ["c", time(13, 5)]])  # fmt: skip
    days = [row["when"] for row in read(path).rows]
    assert days == ["2024-02-29", "2024-02-29 12:00:00", "13:05:00"]


def test_empty_rows_and_columns_are_left_out(path):
    rows = [[None, "text", None, "label", None], [], [None, "a", None, None], [None], ["", "b"]]
    save(path, [[], *rows, [None, None, None, " "], []])
    records = list(open_records(path))
    assert [record.row for record in records] == [
        {"text": "a", "label": ""}, {"text": "b", "label": ""}, {"text": "", "label": " "},
    ]  # fmt: skip
    assert [record.line for record in records] == [4, 6, 7]


def test_without_a_header_columns_are_numbered(path):
    save(path, [[1, "This is so."], [2, "And that as well."]])
    assert open_records(path).columns == ("column_1", "column_2")
    assert read(path).rows[0] == {"column_1": 1, "column_2": "This is so."}


def test_a_title_above_the_header_is_left_out_and_told(path):
    save(path, [["Sales in May"], ["text", "label", "n"], ["a", "x", 1], ["b", "y", 2]])
    records = open_records(path)
    assert [note.code for note in records.notes] == ["rows_above"]
    assert read(path).rows[0] == {"text": "a", "label": "x", "n": 1}


def test_each_row_that_merged_cells_cover_gets_their_value(path):
    rows = [["label", "text"], ["x", "a"], [None, "b"], [None, "c"], ["y", "d"]]
    save(path, [[], *([None, *row] for row in rows)], merged=["B3:B5"])
    assert [note.code for note in open_records(path).notes] == ["merged_cells"]
    assert [row["label"] for row in read(path).rows] == ["x", "x", "x", "y"]


def test_the_first_sheet_with_data_is_read_and_the_others_are_named(path):
    save(path, [], [["text"], ["a"]], [], [["more"], ["b"]])
    records = open_records(path)
    assert read(path).rows == [{"text": "a"}]
    (note,) = records.notes
    assert note.code == "other_sheets"
    assert "'Sheet1'" in note.message
    assert "'Sheet3'" in note.message
    assert "'Sheet2'" not in note.message


def test_a_workbook_in_an_archive_is_read(tmp_path):
    inner = save(tmp_path / "rows.xlsx", [["text"], ["a"]])
    path = tmp_path / "rows.zip"
    with ZipFile(path, "w") as archive:
        archive.write(inner, "folder/rows.xlsx")
    assert open_records(path).packing == "ZIP"
    assert read(path).rows == [{"text": "a"}]


@pytest.mark.parametrize(
    ("sheets", "code"),
    [([[]], "empty_file"), ([[["text", "label"]]], "no_rows"),
     ([[["x"] * 1500, ["y"] * 1500]], "too_many_columns")],
)  # fmt: skip
def test_workbooks_without_rows_or_with_too_many_columns_are_refused(path, sheets, code):
    assert error_of(save(path, *sheets)).code == code


def corner_cells(path):
    """A file of some kilobytes whose sheet spans 17 thousand million cells."""
    book = Workbook()
    book.active["A1"], book.active["XFD1048576"] = "text", "end"
    book.save(path)
    return path


def test_a_sheet_that_spans_too_much_is_refused(path):
    error = error_of(corner_cells(path))
    assert error.code == "workbook_too_large"
    assert "CSV" in error.hint


def test_a_workbook_that_unpacks_to_too_much_is_refused(path, monkeypatch):
    save(path, [["text"], *([f"row {n}"] for n in range(2_000))])
    monkeypatch.setattr(workbook_limits, "MAX_BYTES", 50_000)
    assert error_of(path).code == "workbook_too_large"


def test_sizes_that_lie_are_found_out(path):
    save(path, [["text"], *([f"row {n}"] for n in range(2_000))])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\1\2")  # the last member, as the directory lists it
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert error_of(path).code == "broken_file"


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_workbook_that_is_cut_off_is_refused(path, share):
    content = save(path, [["text"], ["a"]]).read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert error_of(path).code == "broken_archive"


def test_any_damage_is_refused_or_read(path):
    content, dice = save(path, [["text"], ["a"], ["b"]]).read_bytes(), random.Random(0)
    codes = set()
    for _ in range(150):
        damaged = bytearray(content)
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        try:
            list(open_records(path))
        except DataError as error:
            codes.add(error.code)
    assert {"broken_archive", "broken_file"} & codes


def test_a_sheet_whose_xml_is_broken_is_refused(path, tmp_path):
    whole = save(tmp_path / "whole.xlsx", [["text"], ["a"]])
    with ZipFile(whole) as old, ZipFile(path, "w", ZIP_DEFLATED) as new:
        for part in old.namelist():
            content = old.read(part)
            new.writestr(part, content[:-40] if "sheet1" in part else content)
    assert error_of(path).code == "broken_file"


def test_a_table_of_libreoffice(path):
    """Its sheets end with a row and a column that are repeated to the end of the world."""
    name = "urn:oasis:names:tc:opendocument:xmlns:{0}:1.0".format
    spaces = " ".join(f'xmlns:{short}="{name(short)}"' for short in ("office", "table", "text"))
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    end = '<table:table-cell table:number-columns-repeated="16000"/>'
    rows = "".join(
        f"<table:table-row>{text.format(first)}{text.format(second)}{end}</table:table-row>"
        for first, second in (("text", "label"), ("a", "x"), ("b", "y"))
    )
    last = f'<table:table-row table:number-rows-repeated="1048000">{end}</table:table-row>'
    with ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="Sheet">{rows}{last}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    assert read(path).rows == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


def test_a_cell_longer_than_any_record_costs_its_row_only(path, monkeypatch):
    monkeypatch.setattr(sheet_tables, "RECORD_CHARS", 20_000)
    save(path, [["text"], ["a"], ["x" * 30_000], ["b"]])
    rows, bad = read(path)
    assert [row["text"] for row in rows] == ["a", "b"]
    assert [(each.line, each.code) for each in bad] == [(3, "record_too_long")]


def test_old_office_files_that_are_no_workbook_are_refused(path):
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000))
    assert error_of(path).code == "unsupported_file"
