"""Whatever bytes a file holds: rows, bad rows or a DataError, and nothing lost."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import string
import sys

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pyarrow import ipc, parquet

from maxaillm.dev.finetune.data.readers import open_records
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import check, read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NAMES = st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt", "a"])
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BEGINNINGS = [
    b"", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\3\4", b"PK\5\6",
    b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff\x10\0\0\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\0\0",
]  # fmt: skip
PIECES = [
    '"', ",", "\n", "\r", "{", "}", "[", "]", ":", "\t", ";", "a", "1", " ", "\\", "\\u0000",
    '"text"', '{"text": "a"}\n', "text,label\n", "\0", "\ud800", "é", "null", "NaN",
]  # fmt: skip
structured = st.lists(st.sampled_from(PIECES), max_size=60).map(
    lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
json_rows = st.lists(st.dictionaries(texts, json_values, max_size=4), min_size=1, max_size=8)
LINES = [
    '{"a": 1, "a": 2}\n', '{"a" : 1, "b": "x\\":", "a": 2}\n', '{"n": 12345678901234567890123}\n',
    '{"a\\\\": 1, "t": "x\\":y", "a\\\\": 2}\n', '{"t": "say \\"hi\\": ok : fine"}\n',
    '{"a"  : 1, "t": "\\":", "a": 2}\n', '{"a"\t: 1, "t": "\\":", "a": 2}\n', '{"t": "a : b"}\n',
    '{"a" \t: 1, "t": "\\":", "a": 2}\n',
    '{"n": 1e300}\n', '{"n": -0}\n', '{"n": 1e999}\n', '{"n": 18446744073709551615}\n',
    '{"m": [{"role": "user", "role": "b"}]}\n', '{"m": [{"role": "user"}, {"n": -1e30}]}\n',
    '{"a": 1} {"a": 2}\n', '"a"\n',
    '[{"a": 1}]\n', '[1]\n', '{"a": "\\ud800"}\n', "\u2028\n", "\x0b\r",
    '{"d": ' + "[" * 63 + "]" * 63 + "}\n", '{"d": ' + "[" * 64 + "]" * 64 + "}\n", "{}\n",
]  # fmt: skip
arrow_row = st.fixed_dictionaries({
    "text": st.none() | texts,
    "number": st.none() | st.integers(-(2**63), 2**63 - 1),
    "share": st.floats(allow_nan=False, allow_infinity=False),
    "turns": st.lists(st.fixed_dictionaries({"role": texts, "content": st.none() | texts})),
})  # fmt: skip
TURN = pa.struct([("role", pa.string()), ("content", pa.string())])
ARROW = pa.schema({"text": pa.string(), "number": pa.int64(), "share": pa.float64(),
                   "turns": pa.list_(TURN)})  # fmt: skip
numbers = st.integers(-(10**15), 10**15) | st.booleans()
cells = st.just("") | st.text(string.ascii_letters + "äß😀 <&", min_size=1, max_size=12)
words = st.text(string.ascii_letters + " \"\n,;'|", min_size=1, max_size=12).filter(str.strip)


@quick
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300), NAMES)
def test_whatever_a_file_begins_with(tmp_path, beginning, content, name):
    path = tmp_path / name
    path.write_bytes(beginning + content)
    try:
        list(open_records(path))
    except DataError as error:
        assert error.message.endswith(".")


@settings(quick, max_examples=20)
@given(json_rows)
def test_packed_rows_come_back_as_written(tmp_path, rows):
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    path = tmp_path / "a.jsonl"
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd.compress):
        path.write_bytes(pack(lines))
        assert read(path) == (rows, [])


@settings(quick, max_examples=30)
@given(st.lists(arrow_row, min_size=1, max_size=8))
def test_columns_come_back_as_written(tmp_path, rows):
    table = pa.Table.from_pylist(rows, schema=ARROW)
    path = tmp_path / "a"
    parquet.write_table(table, path)
    # An object of Arrow has every key: what is null can't be told from what was never written.
    told = [row | {"turns": [without_nulls(turn) for turn in row["turns"]]} for row in rows]
    assert read(path) == (told, [])
    with ipc.new_stream(path, ARROW) as writer:
        writer.write_table(table)
    assert read(path) == (told, [])


def without_nulls(turn):
    return {key: value for key, value in turn.items() if value is not None}


@settings(quick, max_examples=30)
@given(st.lists(st.tuples(cells, words, numbers), min_size=1, max_size=8))
def test_sheets_come_back_as_written(tmp_path, rows):
    book = Workbook()
    for row in [("note", "text", "number"), *rows]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    outcome = read(tmp_path / "a.xlsx")
    assert [tuple(row.values()) for row in outcome.rows] == rows


@quick
@given(st.lists(st.sampled_from(PIECES + LINES), max_size=40).map("".join))
def test_lines_of_json_are_read_alike_in_any_encoding(tmp_path, text):
    """UTF-8 is read many lines at once, UTF-16 one by one."""
    text = text.encode("utf-8", "replace").decode()
    found = []
    for encoding in ("utf-8", "utf-16"):
        path = tmp_path / f"{encoding}.jsonl"
        path.write_bytes(('{"first": 1}\n' + text).encode(encoding))
        found.append(list(open_records(path)))
    assert found[0] == found[1]


@quick
@given(st.binary(max_size=300) | structured, NAMES)
def test_no_bytes_raise_anything_but_a_data_error(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        list(open_records(path))
    except DataError as error:
        assert error.message
    report = check(path).report
    assert report.status == "ready" or report.error


@settings(quick, max_examples=20)
@given(json_rows)
def test_json_comes_back_as_written(tmp_path, rows):
    for name, content in {
        "lines.jsonl": "\n".join(json.dumps(row) for row in rows),
        "plain.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "array.json": json.dumps(rows, indent=1),
        "wrapped.json": json.dumps({"data": rows}),
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        assert read(tmp_path / name) == (rows, [])


@quick
@given(st.lists(st.lists(words, min_size=3, max_size=3), min_size=1, max_size=12))
def test_tables_come_back_as_written(tmp_path, rows):
    header = ["text", "label", "note"]
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    path = tmp_path / "a.csv"
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    assert [list(row.values()) for row in read(path).rows] == rows


@quick
@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_rows_and_bad_rows_are_all_records(tmp_path, is_good):
    lines = ['{"text": "fine"}' if good else '{"text": ' for good in is_good]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    outcome = read(path)
    assert len(outcome.rows) == sum(is_good)
    assert [bad.line for bad in outcome.bad] == [
        number for number, good in enumerate(is_good, start=1) if not good
    ]
