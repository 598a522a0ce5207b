"""JSON documents that hold rows another way than as a list: wrappers, tables, the Hub's viewer."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.readers import open_records
from tests.engine.data.files import check, error_of, read

A, B, C = ({"text": word, "label": "x"} for word in ("one", "two", "three"))
VIEWER = {
    "features": [
        {"feature_idx": 0, "name": "text", "type": {"dtype": "string", "_type": "Value"}},
        {"feature_idx": 1, "name": "label", "type": {"names": ["x", "y"], "_type": "ClassLabel"}},
    ],
    "rows": [
        {"row_idx": 0, "row": {"text": "one", "label": 0}, "truncated_cells": []},
        {"row_idx": 1, "row": {"text": "two", "label": 1}, "truncated_cells": []},
        {"row_idx": 2, "row": {"text": "thr", "label": 1}, "truncated_cells": ["text"]},
    ],
    "num_rows_total": 3,
}


@pytest.fixture(params=["json", "jsonl", "txt"])
def suffix(request):
    return request.param


def write(tmp_path, document, suffix="json", **options):
    path = tmp_path / f"a.{suffix}"
    path.write_text(json.dumps(document, **options))
    return path


def rows_by_split(path):
    return [(row.get("split"), row["text"]) for row in read(path).rows]


def notes_of(path):
    records = open_records(path)
    assert all(records)
    return [note.message for note in (*records.notes, *records.aside.notes())]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("names", [("train", "test"), ("training", "dev"), ("test", "Validation")])
def test_each_list_of_a_wrapper_is_a_split(tmp_path, suffix, indent, names):
    first, second = names
    path = write(tmp_path, {first: [A, B], second: [C]}, suffix, indent=indent)
    split = {"training": "train", "dev": "validation", "Validation": "validation"}
    one, two = (split.get(name, name) for name in names)
    assert rows_by_split(path) == [(one, "one"), (one, "two"), (two, "three")]
    assert check(path).report.splits == {one: 2, two: 1}


def test_splits_may_lie_one_level_deeper(tmp_path):
    path = write(tmp_path, {"name": "a", "data": {"train": [A], "test": [B, C]}})
    assert rows_by_split(path) == [("train", "one"), ("test", "two"), ("test", "three")]
    assert notes_of(path) == ["Beside the rows the file has 'name'."]


def test_splits_may_hold_bare_texts(tmp_path):
    path = write(tmp_path, {"train": ["one", "two"], "val": ["three"]})
    assert rows_by_split(path) == [
        ("train", "one"), ("train", "two"), ("validation", "three"),
    ]  # fmt: skip


def test_splits_may_hold_tables(tmp_path):
    columns = {"text": ["one", "two"], "label": ["x", "x"]}
    path = write(tmp_path, {"train": columns, "test": {"0": C, "1": A}, "by": "me"})
    assert rows_by_split(path) == [
        ("train", "one"), ("train", "two"), ("test", "three"), ("test", "one"),
    ]  # fmt: skip
    assert notes_of(path) == ["Beside the rows the file has 'by'."]


def test_what_stands_beside_the_rows_is_named(tmp_path, suffix):
    document = {"version": 1, "data": [A, B], "authors": ["x", "y"], "info": {"a": 1}}
    path = write(tmp_path, document, suffix)
    assert read(path).rows == [A, B]
    (finding,) = check(path).of_code("beside_the_rows")
    for words in ("'version'", "'authors' (a list of 2)", "'info' (an object of 1)"):
        assert words in finding.message


def test_rows_may_lie_under_any_name(tmp_path):
    path = write(tmp_path, {"license": "MIT", "reviews": [A, B]})
    assert read(path).rows == [A, B]


def test_of_several_lists_the_owner_is_asked_for_one(tmp_path):
    error = error_of(write(tmp_path, {"reviews": [A, B], "users": [{"id": 1}]}))
    assert error.code == "several_lists"
    assert "'reviews' (2), 'users' (1)" in error.message


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1}]}, "COCO"),
        ({"cells": [{"source": []}], "nbformat": 4, "metadata": {}}, "notebook"),
        ({"_via_settings": {}, "_via_img_metadata": {}, "_via_attributes": {}}, "VGG"),
    ],
)
def test_documents_without_rows_are_named(tmp_path, document, words):
    path = write(tmp_path, document)
    report = check(path).report
    assert report.status == "invalid"
    assert words in report.error.message
    assert report.error.hint


@pytest.mark.parametrize(
    "document",
    [
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"instruction": "a", "instances": [{"input": "b", "output": "c"}, {"output": "d"}]},
        {"tokens": ["a", "b"], "ner_tags": ["O", "O"]},
        {"chosen": {"role": "assistant", "content": "a"},
         "rejected": {"role": "assistant", "content": "b"}},
        {"prompt": "a", "completion": "b", "tags": ["c", "d"]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_record_stays_one(tmp_path, document, indent):
    assert read(write(tmp_path, document, indent=indent)).rows == [document]


ORIENTS = {
    "records": [A, B],
    "columns": {"text": {"0": "one", "1": "two"}, "label": {"0": "x", "1": "x"}},
    "list": {"text": ["one", "two"], "label": ["x", "x"]},
    "index": {"0": A, "1": B},
    "split": {"columns": ["text", "label"], "index": [0, 1], "data": [["one", "x"], ["two", "x"]]},
    "values with a header": [["text", "label"], ["one", "x"], ["two", "x"]],
}


@pytest.mark.parametrize("orient", ORIENTS)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["json", "txt"])
def test_tables_are_read_as_pandas_writes_them(tmp_path, name, orient, indent):
    path = write(tmp_path, ORIENTS[orient], name, indent=indent)
    assert read(path).rows == [A, B]


def test_cells_without_names_are_numbered(tmp_path):
    path = write(tmp_path, [["one sentence.", "x"], ["two words", "y"]])
    assert read(path).rows[0] == {"column_1": "one sentence.", "column_2": "x"}


def test_columns_may_list_their_rows_in_any_order(tmp_path):
    table = {"text": {"0": "one", "1": "two"}, "label": {"1": "y", "0": "x"}}
    rows = [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]
    assert read(write(tmp_path, table)).rows == rows
    assert [row | {"split": "test"} for row in rows] == read(write(tmp_path, {"test": table})).rows


@pytest.mark.parametrize(
    "document",
    [
        {"data": [["one", "x"], ["two", "y"]], "columns": ["text", "label"]},
        {name: VIEWER[name] for name in ("rows", "features")},
    ],
)
def test_names_that_stand_behind_the_rows_are_not_passed_over(tmp_path, document):
    error = error_of(write(tmp_path, document, indent=1))
    assert error.code == "late_names"
    assert repr(list(document)[-1]) in error.message
    assert error.hint


def test_names_of_rows_go_along(tmp_path):
    assert read(write(tmp_path, {"a1": A, "b2": B})).rows == [{"id": "a1", **A}, {"id": "b2", **B}]


def test_the_viewers_answer_is_unpacked(tmp_path):
    outcome = read(write(tmp_path, VIEWER))
    assert outcome.rows == [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]
    (cut,) = outcome.bad
    assert (cut.code, cut.line) == ("cut_cell", 1)


def test_a_second_list_without_a_splits_name_is_refused(tmp_path):
    assert error_of(write(tmp_path, {"data": [A], "rows": [B]})).code == "two_lists"


keys = st.sampled_from(
    ["train", "test", "val", "dev", "data", "rows", "version", "info", "reviews", "authors", "meta"]
)
values = st.one_of(
    st.lists(st.fixed_dictionaries({"text": st.sampled_from("abc")}), min_size=1, max_size=4),
    st.text("ab", max_size=3), st.integers(0, 9), st.none(), st.just({"a": 1}),
    st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(keys, values, min_size=1, max_size=5), st.sampled_from([None, 1]))
def test_nothing_of_a_wrapper_is_skipped_uncounted(tmp_path, document, indent):
    """Every value of a document is rows, or its key is named, or the file is refused by name."""
    path = write(tmp_path, document, indent=indent)
    lists = {key: value for key, value in document.items() if is_rows(value)}
    others = {key for key, value in document.items() if key not in lists and value != []}
    report = check(path)
    if report.report.status == "invalid":
        assert report.report.error.message
        return
    outcome = read(path)
    if outcome.rows == [document]:
        return  # a record of its own
    if {row.get("id") for row in outcome.rows} == document.keys():
        return  # rows by their names
    told = " ".join(notes_of(path))
    taken = [key for key in lists if repr(key) not in told]
    assert len(outcome.rows) + len(outcome.bad) == sum(len(lists[key]) for key in taken)
    assert all(repr(key) in told for key in others)


def is_rows(value):
    return isinstance(value, list) and bool(value)


@pytest.mark.parametrize("number", [-1, 2, 10**30])
def test_a_class_of_the_viewer_without_a_name_is_not_learned(tmp_path, number):
    """-1 means that nobody has said which; a number beyond the names is a fault of the file."""
    labels = [0, 1, number]
    rows = [{"row_idx": n, "row": {"text": f"t{n}", "label": label}, "truncated_cells": []}
            for n, label in enumerate(labels)]  # fmt: skip
    report, examples, _ = check(write(tmp_path, {**VIEWER, "rows": rows}))
    assert [example.label for example in examples] == ["x", "y"]
    assert (report.rows, report.bad_rows) == (2, 1)
