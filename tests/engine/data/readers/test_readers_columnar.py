"""Parquet and Arrow files: types as JSON has them, bounded batches, damage named."""

from __future__ import annotations

import gzip
import io
import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from maxaillm.dev.finetune.data.readers import BadRecord, columnar, open_records
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import error_of, read

NOON = datetime.fromisoformat("2024-02-29T12:00")
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def as_parquet(table):
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def as_file(table):
    file = io.BytesIO()
    with ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def as_stream(table):
    file = io.BytesIO()
    with ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


WRITERS = {"parquet": as_parquet, "arrow file": as_file, "arrow stream": as_stream}
every_form = pytest.mark.parametrize("form", WRITERS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "upload"


@every_form
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_nested_rows_come_back(path, form, pack):
    rows = [{"messages": CHAT[: n % 3], "n": n, "text": None} for n in range(2_500)]
    path.write_bytes(pack(WRITERS[form](pa.Table.from_pylist(rows))))
    records = open_records(path)
    assert records.kind == form.split()[0]
    assert records.columns == ("messages", "n", "text")
    assert read(path) == (rows, [])
    assert [record.line for record in records] == list(range(1, 2_501))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([1, None], pa.uint64()), [1, None]),
        (pa.array([0.5, float("nan")]), [0.5, None]),
        (pa.array([True, None]), [True, None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", "b\0c"], pa.string_view()), ["a", "bc"]),
        (pa.array(["a", "b\0c"]), ["a", "bc"]),
        (pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
        (pa.array([b"text", b"\xff\0"]), ["text", "/wA="]),
        (pa.array([Decimal("1.50"), Decimal("2.00")]), [1.5, 2]),
        (pa.array([date(2024, 2, 29), None]), ["2024-02-29", None]),
        (pa.array([NOON, None], pa.timestamp("ns")),
         ["2024-02-29T12:00:00", None]),
        (pa.array([NOON, None], pa.timestamp("ms", "UTC")),
         ["2024-02-29T12:00:00+00:00", None]),
        (pa.array([time(13, 5), None]), ["13:05:00", None]),
        (pa.array([timedelta(minutes=2), None]), [120, None]),
        (pa.array([[1.5, float("nan")], None]), [[1.5, None], None]),
        (pa.array([["a\0"], []]), [["a"], []]),
        (pa.array([{"a": date(2024, 1, 1)}, None]), [{"a": "2024-01-01"}, None]),
        (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())), [[["k", 1]], None]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_types_become_those_of_json(path, column, values):
    table = pa.table({"value": column})
    for write in WRITERS.values():
        try:
            path.write_bytes(write(table))
        except pa.ArrowNotImplementedError:
            continue  # Parquet has not every type
        outcome = read(path)
        assert outcome.bad == []
        assert [row["value"] for row in outcome.rows] == values


def test_what_was_altered_is_told_of_its_row_only(path):
    path.write_bytes(as_stream(pa.table({"a": ["x", "\0"], "b": [b"x", b"\xff"]})))
    first, second = open_records(path)
    assert first.notes == ()
    assert {note.code for note in second.notes} == {"nul_removed", "bytes"}


@every_form
def test_a_value_without_a_place_in_json_costs_its_row_only(path, form):
    far = pa.array([0, 2**62, 0], pa.timestamp("s"))
    endless = [1.0, 2.0, float("inf")]
    try:
        path.write_bytes(WRITERS[form](pa.table({"text": ["a", "b", "c"], "x": endless, "y": far})))
    except pa.ArrowInvalid:
        pytest.skip("it can't be written either")
    outcome = read(path)
    assert [row["text"] for row in outcome.rows] == ["a"]
    assert [(bad.line, bad.code) for bad in outcome.bad] == [(2, "bad_value"), (3, "not_finite")]


def test_numbers_of_rows_as_pandas_writes_them_are_no_column(path):
    path.write_bytes(as_parquet(pa.table({"text": ["a"], "__index_level_0__": [7]})))
    assert open_records(path).columns == ("text",)
    assert read(path).rows == [{"text": "a"}]


def test_columns_of_one_name_are_told_apart(path):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    path.write_bytes(as_stream(table))
    assert [note.code for note in open_records(path).notes] == ["duplicate_column"]
    assert read(path).rows == [{"text": "a", "text_2": "b"}]


@every_form
def test_rows_of_any_length_are_read_a_few_at_a_time(path, form, monkeypatch):
    monkeypatch.setattr(columnar, "BATCH_BYTES", 50_000)
    monkeypatch.setattr(columnar, "RECORD_CHARS", 20_000)
    rows = [{"text": "x" * size} for size in [10] * 50 + [15_000] * 20 + [25_000] + [10] * 50]
    path.write_bytes(WRITERS[form](pa.Table.from_pylist(rows)))
    records = list(open_records(path))
    assert len(records) == 121
    (bad,) = (record for record in records if isinstance(record, BadRecord))
    assert (bad.line, bad.code) == (71, "record_too_long")


@every_form
def test_empty_and_too_wide_tables_are_refused(path, form):
    path.write_bytes(WRITERS[form](pa.table({"text": pa.array([], pa.string())})))
    assert error_of(path).code == "no_rows"
    path.write_bytes(WRITERS[form](pa.table({f"c{n}": [n] for n in range(1_500)})))
    assert error_of(path).code == "too_many_columns"


@every_form
@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
def test_a_file_that_is_cut_off_is_refused(path, form, share):
    table = pa.table({"text": [f"some text {n}" for n in range(3_000)]})
    content = WRITERS[form](table)
    path.write_bytes(content[: int(len(content) * share)])
    error = error_of(path)
    assert error.code == "broken_file"
    assert error.message.startswith(f"The file looks like {form.split()[0].title()}")


@every_form
def test_any_damage_is_refused_or_read(path, form):
    rows = [{"text": f"some text {n}", "chat": CHAT} for n in range(200)]
    content, dice = WRITERS[form](pa.Table.from_pylist(rows)), random.Random(form)
    codes = set()
    for _ in range(300):
        damaged = bytearray(content)
        damaged[dice.randrange(8, len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            list(open_records(path))
        except DataError as error:
            codes.add(error.code)
    assert codes & {"broken_file", "no_rows"}
