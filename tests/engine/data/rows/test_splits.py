"""A column `split` puts rows where the file says; what is unclear is not trained on."""

import json

from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.reading.validate import validate


def write(path, splits):
    rows = [
        {"prompt": f"Question {number}?", "completion": "Yes."} | ({"split": name} if name else {})
        for number, name in enumerate(splits)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_rows_go_where_the_file_says(tmp_path):
    file = write(tmp_path / "rows.jsonl", ["train", "Val", "test", "TRAIN"])
    report = validate(file)
    assert report.splits == {"train": 2, "validation": 1, "test": 1}
    splits = [example.split for example in read_examples(file)]
    assert splits == ["train", "validation", "test", "train"]


def test_an_unclear_split_is_a_bad_row(tmp_path):
    findings = []
    file = write(tmp_path / "rows.jsonl", ["train", "train", "holdout", None])
    report = validate(file, on_finding=findings.append)
    assert (report.rows, report.bad_rows) == (2, 2)
    assert [(finding.row, finding.code) for finding in findings] == [
        (3, "unknown_split"),
        (4, "unknown_split"),
    ]


def test_a_column_that_says_something_else_is_no_marker(tmp_path):
    file = write(tmp_path / "rows.jsonl", ["north", "south", "train"])
    assert validate(file).splits == {"train": 3}
    assert [example.split for example in read_examples(file)] == [None, None, None]
