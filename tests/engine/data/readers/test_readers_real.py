"""The nasty files that people have, packed and in other formats: as they are, to the row."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from zipfile import ZipFile

import pyarrow as pa
import pytest
from pyarrow import parquet

from maxaillm.dev.finetune.data.readers import Record, open_records
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import REAL, needs_real_data, read, real_files

pytestmark = needs_real_data
CSVKIT = REAL / "nasty" / "csvkit"
DUMMY = [{"a": "1", "b": "2", "c": "3"}]
TABLES = {
    "bad.csv": ["0", "mixed types.... uh oh", "17"],
    "blanks.csv": ["", "NA", "N/A", "NONE", "NULL", "."],
    "mac_newlines.csv": ["1", "2", "3", "Once upon\ra time", "5", "6"],
    "no_header_row.csv": ["1", "2", "3"],
    "null_byte.csv": ["", "2", "3"],
    "optional_quote_characters.csv": ["1", "2", "3"],
    "sniff_limit.csv": ["1", "2", "3"],
    "test_empty_columns_long_row.csv": ["", "", ""],
    "test_header_newline.csv": ["d", "e", "f"],
    "test_latin1.csv": ["1", "2", "3", "4", "5", "©"],
    "test_locale.csv": ["1,7", "200.000.000", ""],
    "test_skip_lines.csv": ["1", "2", "3"],
    "test_utf16_big.csv": ["1", "2", "3", "4", "5", "ʤ"],
    "test_utf16_little.csv": ["1", "2", "3", "4", "5", "ʤ"],
    "test_utf8.csv": ["1", "2", "3", "4", "5", "ʤ"],
    "test_utf8_bom.csv": ["1", "2", "3", "4", "5", "ʤ"],
}
"""The cells below the header, as one reads them in the file."""
WRONG_WIDTH = {
    "bad.csv": [2, 3],
    "bad_skip_lines.csv": [5, 6],
    "test_empty_columns.csv": [3],
    "test_empty_columns_short_row.csv": [2],
    "test_extra_header.csv": [2],
}
OBJECTS = {"testjson.json": 5, "testjson_multiline.json": 2, "testjson_nested.json": 2}


def outcome_of(path, name=None):
    """Rows and what is wrong with the others, or why the file is refused."""
    try:
        return [
            record.row if isinstance(record, Record) else (record.line, record.code)
            for record in open_records(path, name=name)
        ]
    except DataError as error:
        return error.code


@pytest.mark.parametrize("name", ["dummy.csv", "dummy.csv.gz", "dummy.csv.bz2", "dummy.tsv"])
def test_one_table_in_many_files(name):
    assert read(CSVKIT / name) == (DUMMY, [])


def test_the_same_table_as_a_workbook_has_numbers():
    assert read(CSVKIT / "dummy.xlsx") == ([{"a": 1, "b": 2, "c": 3}], [])


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_csvkit_to_the_cell(name):
    assert [cell for row in read(CSVKIT / name).rows for cell in row.values()] == TABLES[name]


@pytest.mark.parametrize("name", WRONG_WIDTH)
def test_rows_of_the_wrong_width_are_named_by_line(name):
    assert [bad.line for bad in read(CSVKIT / name).bad] == WRONG_WIDTH[name]


@pytest.mark.parametrize("name", OBJECTS)
def test_documents_of_csvkit(name):
    rows, bad = read(CSVKIT / name)
    assert (len(rows), bad) == (OBJECTS[name], [])


@pytest.mark.parametrize("path", real_files("nasty/derived"), ids=lambda path: path.name)
def test_packed_they_come_out_as_they_are(path, tmp_path):
    expected, content = outcome_of(path), path.read_bytes()
    packed = tmp_path / "upload"
    for suffix, pack in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        packed.write_bytes(pack(content))
        assert outcome_of(packed, name=path.name + suffix) == expected
    with ZipFile(packed, "w") as archive:
        archive.write(path, f"folder/{path.name}")
    assert outcome_of(packed, name="rows.zip") == expected


@pytest.mark.parametrize("path", real_files("chat", "*.json*"), ids=lambda path: path.name)
def test_chats_go_through_parquet(path, tmp_path):
    rows = [{"row": json.dumps(row), "keys": list(row)} for row in read(path).rows]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert rows
    assert read(tmp_path / "a.parquet") == (rows, [])


@pytest.mark.parametrize("path", real_files("nasty", "blns.*"), ids=lambda path: path.name)
def test_naughty_strings_are_all_read(path):
    assert len(read(path).rows) == {"blns.txt": 665, "blns.json": 515}[path.name]
