"""Checking a file: outcome, counts, findings with row and line, warnings."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import check, json_lines

GOOD = {"prompt": "What?", "completion": "That."}


def pairs(count):
    return [{"prompt": f"Question {n}?", "completion": f"Answer {n}."} for n in range(count)]


def test_a_good_file_is_ready(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines(pairs(50)))
    report, examples, findings = check(path)
    assert (report.status, report.rows, report.bad_rows, findings) == ("ready", 50, 0, [])
    assert report.format["name"] == "prompt_completion"
    assert report.columns == ["prompt", "completion"]
    assert (report.kind, report.encoding) == ("jsonl", "UTF-8")
    assert examples == list(read_examples(path))


def test_bad_rows_are_named_by_row_and_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('prompt,completion\n"two\nlines",fine\n,empty question\nb,c,d\nlast,one\n')
    report, _, findings = check(path)
    assert (report.status, report.rows, report.bad_rows) == ("ready", 2, 2)
    assert [(f.row, f.line, f.code, f.level) for f in findings] == [
        (2, 4, "empty", "bad"), (3, 5, "wrong_width", "bad"),
    ]  # fmt: skip
    assert all(finding.message and finding.snippet and finding.fix for finding in findings)


def test_duplicates_point_at_the_first(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([*pairs(3), pairs(3)[1]]))
    result = check(path)
    assert result.report.rows == 4
    assert [(f.row, f.level) for f in result.of_code("duplicate")] == [(4, "warning")]
    assert "row 2" in result.of_code("duplicate")[0].message


def test_a_long_row_is_accepted_with_a_warning_and_shown_short(tmp_path):
    rows = pairs(4)
    rows[2]["completion"] = "x" * 2_000_000
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    result = check(path)
    assert result.report.rows == 4
    assert [f.row for f in result.of_code("long_row")] == [3]
    assert len(result.report.model_dump_json()) < 5_000


def test_oddities_of_labels_are_told(tmp_path):
    labels = ["spam", "Spam ", "ham", "ham", "spam", "rare"]
    path = tmp_path / "a.csv"
    path.write_text(
        "text,label\n" + "".join(f"text {n},{label}\n" for n, label in enumerate(labels))
    )
    result = check(path)
    assert result.report.labels == {"spam": 2, "Spam": 1, "ham": 2, "rare": 1}
    assert result.of_code("label_variants")[0].row == 2
    assert [f.row for f in result.of_code("rare_class")] == [2, 6]
    path.write_text("text,label\na,x\nb,x\n")
    assert check(path).of_code("single_class")


def test_an_unknown_table_needs_a_mapping_with_a_guess(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{'ham' if n % 3 else 'spam'}\tSome words {n}.\n" for n in range(30)))
    report, examples, _ = check(path)
    assert (report.status, report.error.code, examples) == ("needs_mapping", "needs_mapping", [])
    assert report.columns == ["column_1", "column_2"]
    assert len(report.sample) == 20
    guess = formats[report.format["name"]].model_validate(report.format)
    assert guess == formats["classification"](text="column_2", target="column_1")
    mapped = check(path, guess).report
    assert (mapped.status, mapped.rows, mapped.labels) == ("ready", 30, {"spam": 10, "ham": 20})


def test_a_tie_names_the_formats_to_choose_from(tmp_path):
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([{"text": "a", "messages": messages}]))
    report = check(path).report
    assert report.status == "needs_mapping"
    assert {candidate["name"] for candidate in report.candidates} == {"text", "messages"}
    assert check(path, formats["messages"]()).report.rows == 1


def test_nested_columns_are_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([{"instruction": "a", "cases": [{"input": "", "output": "b"}]}]))
    error = check(path).report.error
    assert error.code == "needs_mapping"
    assert "lists or objects: cases" in error.message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.jsonl", "", "empty_file"),
        ("a.csv", "text,label\n", "no_rows"),
        ("a.json", '[{"text": "a"}, {"text', "not_json"),
        ("a.jsonl", '{"text": \n', "no_good_rows"),
        ("a.jsonl", '{"prompt": "a", "completion": ""}\n', "no_good_rows"),
        ("a.jsonl", '{"anchor": "a", "positive": "b"}\n', "unsupported_format"),
    ],
)
def test_invalid_files_say_why_and_what_to_do(tmp_path, name, content, code):
    path = tmp_path / name
    path.write_text(content)
    report = check(path).report
    assert (report.status, report.error.code) == ("invalid", code)
    assert report.error.message and report.error.hint
    assert report.rows == 0
    with pytest.raises(DataError):
        list(read_examples(path))


def test_a_mapping_to_a_column_that_is_not_there(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines(pairs(3)))
    report = check(path, formats["text"](text="nonsense")).report
    assert (report.status, report.bad_rows) == ("invalid", 3)
    assert "nonsense" in report.error.message


def test_a_training_file_with_a_bad_row_is_refused_by_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines(pairs(3)) + '{"prompt": "a", "completion": null}\n')
    with pytest.raises(DataError, match="Row 4, line 4 of the file: 'completion' is null"):
        list(read_examples(path))


def test_what_is_shown_hides_nothing():
    assert shown("a\u202eb\x00\x1b[31m\ud800") == "a\\u202eb\\u0000\\u001b[31m\\ud800"
    assert len(shown("\x00" * 500)) == 200
    assert shown({"key": "ä"}) == '{"key": "ä"}'
