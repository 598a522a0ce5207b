"""Whatever bytes a file holds: rows, bad rows or a DataError, and nothing lost."""

from __future__ import annotations

import csv
import io
import json
import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.readers import open_records
from tests.engine.data.files import check, read

NAMES = st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt", "a"])
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
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
words = st.text(string.ascii_letters + " \"\n,;'|", min_size=1, max_size=12).filter(str.strip)


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
