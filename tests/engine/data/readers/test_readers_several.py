"""A ZIP archive with a file a split, or several, as one dataset."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from maxaillm.dev.finetune.data.readers import open_records, sources
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.rows.splits import split_of_path
from tests.engine.data.files import check, error_of, json_lines, read

Rows = list[dict[str, str]]
SIZES = {"train": 300, "validation": 40, "test": 25}


def rows_of(split: str, size: int) -> Rows:
    return [{"prompt": f"What is {n}, {split}?", "completion": f"It is {n}."} for n in range(size)]


def as_parquet(rows: Rows) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def as_csv(rows: Rows) -> bytes:
    file = io.BytesIO()
    arrow_csv.write_csv(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def as_json_lines(rows: Rows) -> bytes:
    return json_lines(rows).encode()


def as_workbook(rows: Rows) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for cells in ("prompt", "completion"), *(tuple(row.values()) for row in rows):
        book.active.append(cells)
    book.save(file)
    return file.getvalue()


def zipped(path: Path, members: dict[str, bytes], method: int = ZIP_DEFLATED) -> Path:
    with ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


CSV = as_csv(rows_of("train", 3))
LINES = as_json_lines(rows_of("train", 3))


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (as_csv, ("test.csv", "Validation.csv", "train.csv")),
        (as_json_lines, ("train/0.jsonl", "test-set/0.jsonl", "dev/0.jsonl")),
        (as_json_lines, ("my_set_train.jsonl", "my_set_val.jsonl", "my_set_test.jsonl")),
        (as_parquet, ("d/validation-0.parquet", "d/train-0-of-1.parquet", "d/test.parquet")),
        (as_workbook, ("train.xlsx", "eval.xlsx", "test.xlsx")),
    ],
)  # fmt: skip
def test_each_file_is_a_split(tmp_path, write, names):
    splits = {name: str(split_of_path(name)) for name in names}
    members = {name: write(rows_of(split, SIZES[split])) for name, split in splits.items()}
    beside = {"README.md": b"x", "dataset_info.json": b"{}", "__MACOSX/._a.csv": b"x", ".": b"x"}
    checked = check(zipped(tmp_path / "set.zip", members | beside))
    assert (checked.report.status, checked.report.splits) == ("ready", SIZES)
    assert [example.split for example in checked.examples] == [
        split for split, size in SIZES.items() for _ in range(size)
    ]
    (told,) = checked.of_code("several_files")
    places = [told.message.index(f"{split}: ") for split in SIZES]
    assert places == sorted(places)
    assert all(repr(name) in told.message for name in names)
    assert "'README.md', 'dataset_info.json'" in checked.of_code("left_aside")[0].message


def test_no_file_of_an_archive_is_passed_over_without_a_word(tmp_path):
    """A folder above is a place like any other; what is hidden is left aside, and named."""
    rows = as_json_lines(rows_of("a", 3))
    hidden = {".git/train.jsonl": rows, ".train.jsonl": rows}
    read = {"../../train.jsonl": rows, "./test.jsonl": rows}
    checked = check(zipped(tmp_path / "set.zip", hidden | read))
    assert checked.report.splits == {"train": 3, "test": 3}
    assert all(name in checked.of_code("left_aside")[0].message for name in hidden)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train.csv", "train"), ("data/train-00000-of-00002-ab.parquet", "train"),
        ("Set.VAL.jsonl", "validation"), ("dev/0.jsonl", "validation"), ("test/train.csv", "train"),
        ("validation-eval.csv", "validation"), ("train/test/0.csv", "test"),
        ("train_test.csv", None), ("train-test/0.csv", None), ("trainer.csv", None), ("", None),
    ],
)  # fmt: skip
def test_the_split_is_a_word_of_the_nearest_name(path, split):
    assert split_of_path(path) == split


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=2, max_size=7),
    st.sampled_from([(as_csv, "csv"), (as_json_lines, "jsonl"), (as_parquet, "parquet")]),
    st.randoms(use_true_random=False),
)
def test_the_rows_are_those_of_the_files_one_by_one(tmp_path, parts, written, dice):
    write, suffix = written
    ordered, wanted, shares = {}, [], []
    for number, (place, size) in enumerate(sorted(parts), start=8):
        split = list(SIZES)[place]
        name = f"{split}-{number}.{suffix}"
        ordered[name] = write(rows_of(f"{split} {number}", size))
        alone = tmp_path / name
        alone.write_bytes(ordered[name])
        wanted += [(one.row | {"split": split}, one.line) for one in open_records(alone)]
    shuffled = dict(dice.sample(sorted(ordered.items()), len(ordered)))
    records = open_records(zipped(tmp_path / "all.zip", shuffled))
    found = []
    for record in records:
        found.append((record.row, record.line))
        shares.append(records.progress())
    assert found == wanted
    assert shares == sorted(shares)
    assert records.progress() == 1


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"train.csv": CSV, "more.csv": CSV}, "not_one_file", "'more.csv' doesn't."),
        ({"train.csv": CSV, "train_test.csv": CSV}, "not_one_file", "'train_test.csv' doesn't."),
        ({"train.csv": CSV, "test.jsonl": LINES}, "mixed_kinds", "'test.jsonl' is jsonl"),
        ({"train.csv": CSV, "test.csv.gz": b"\x1f\x8b\x08"}, "nested_archive", "'test.csv.gz'"),
        ({"train.csv": CSV, "test.csv": b""}, "empty_file", "In 'test.csv': The file is empty."),
        ({f"train-{n}.csv": CSV for n in range(1_001)}, "not_one_file", "1,001 files"),
        ({f"train-{n}.csv": bytes(10**7) for n in range(11)}, "unpacked_too_large", "100 MB"),
    ],
)  # fmt: skip
def test_what_is_no_one_data_set_is_refused(tmp_path, members, code, words):
    error = error_of(zipped(tmp_path / "set.zip", members))
    assert error.code == code
    assert words in error.message
    assert error.hint


def test_a_damaged_second_file_is_named(tmp_path):
    members = {"train.csv": CSV, "more/test.csv": as_csv(rows_of("test", 900))}
    path = zipped(tmp_path / "set.zip", members, ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"What is 500, test")] ^= 1
    path.write_bytes(content)
    error = error_of(path)
    assert (error.code, error.message[:20]) == ("broken_archive", "In 'more/test.csv': ")


def test_bytes_that_serve_two_files_are_refused(tmp_path):
    path = zipped(tmp_path / "set.zip", {"train-1.csv": CSV, "train-2.csv": CSV})
    with ZipFile(path, "a") as archive:
        first, second = archive.infolist()
        second.header_offset = first.header_offset
        archive.comment = b"writes the directory anew"
    assert "'train-2.csv' in the ZIP archive lies over" in error_of(path).message


def test_no_more_comes_out_than_an_archive_says(tmp_path):
    path = zipped(tmp_path / "set.zip", {"train.csv": CSV, "test.csv": CSV * 1_000})
    with ZipFile(path, "a") as archive:
        archive.infolist()[1].file_size = len(CSV)
        archive.comment = b"writes the directory anew"
    error = error_of(path)
    assert (error.code, error.message[:15]) == ("broken_archive", "In 'test.csv': ")


def test_an_older_state_of_a_file_is_not_read_with_the_new_one(tmp_path):
    path = zipped(tmp_path / "set.zip", {"train.csv": CSV, "test.csv": CSV})
    with ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("train.csv", CSV)
    assert "'train.csv' 2 times" in error_of(path).message


def test_what_a_row_says_of_itself_counts(tmp_path):
    rows = [row | {"split": name} for row, name in zip(rows_of("a", 3), ["dev", "", "x"],
                                                       strict=True)]  # fmt: skip
    path = zipped(tmp_path / "set.zip", {"train.csv": as_csv(rows), "test.csv": CSV})
    assert check(path).report.splits == {"train": 2, "validation": 1, "test": 3}


def test_rows_under_another_header_are_bad_rows(tmp_path):
    other = as_csv([{"asked": "Who?", "answered": "I."}, {"asked": "Why?", "answered": "So."}])
    checked = check(zipped(tmp_path / "set.zip", {"train.csv": CSV, "test.csv": other}))
    assert (checked.report.rows, checked.report.bad_rows) == (3, 2)
    assert checked.report.columns == ["prompt", "completion", "split"]
    (first, _) = checked.of_code("missing")
    assert (first.row, first.line) == (4, 2)
    assert "'prompt' is missing" in first.message


def test_documents_of_a_wrapped_text_keep_to_their_file(tmp_path):
    lines = b"".join(b"A line of some words,\nand one more.\n\n" for _ in range(50))
    members = {
        "train-1.txt": lines,
        "train-2.txt": b"\n\n" + lines,
        "test.txt": b"\n" * 160 + lines,
    }
    documents = list(read_documents(zipped(tmp_path / "set.zip", members)))
    assert [document.split for document in documents] == ["train", "train", "test"]
    assert len({document.text for document in documents}) == 1


def test_one_unpacked_file_lies_on_the_disk_at_a_time(tmp_path, monkeypatch):
    opened: list[io.IOBase] = []
    most = 0

    def temporary_file():
        nonlocal most
        opened.append(io.BytesIO())
        most = max(most, sum(not file.closed for file in opened))
        return opened[-1]

    monkeypatch.setattr(sources, "TemporaryFile", temporary_file)
    members = {f"train-{n}.parquet": as_parquet(rows_of("train", 2_500)) for n in range(4)}
    assert len(read(zipped(tmp_path / "set.zip", members)).rows) == 10_000
    assert (most, [file.closed for file in opened]) == (1, [True] * len(opened))
