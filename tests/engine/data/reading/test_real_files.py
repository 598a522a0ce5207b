"""The files that people have: true counts, stated outcomes, three public test collections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.readers import BadRecord, Record, open_records
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import NASTY, REAL, check, count_of, needs_real_data, read, real_files

pytestmark = needs_real_data
MANIFEST = REAL / "manifest.json"
LISTED = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else []
COUNTED = [entry for entry in LISTED if isinstance(entry["rows"], int)]
TRUE_ROWS = {entry["name"]: entry["rows"] for entry in COUNTED}
EXPECTED = json.loads((NASTY / "expected.json").read_text()) if NASTY.is_dir() else {}
FORMATS = {
    "alpaca_en_demo.json": "instruction",
    "alpaca_zh_demo.json": "instruction",
    "identity.json": "instruction",
    "self_instruct_seed_tasks.jsonl": "self_instruct",
    "gpteacher_codegen.json": "instruction",
    "mlx_prompt_completion_train.jsonl": "prompt_completion",
    "mlx_prompt_completion_valid.jsonl": "prompt_completion",
    "mlx_wikisql_text_train.jsonl": "text",
    "mlx_wikisql_text_valid.jsonl": "text",
    "fastchat_dummy_conversation.json": "sharegpt",
    "glaive_toolcall_en_demo.json": "sharegpt",
    "v1_sft_demo.jsonl": "messages",
    "openai_toy_chat_fine_tuning.jsonl": "messages",
    "c4_demo.jsonl": "text",
    "wiki_demo.txt": "text",
    "grimms_fairy_tales.txt": "text",
    "banking77_train.csv": "classification",
    "banking77_test.csv": "classification",
    "dpo_en_demo.json": "preference",
    "kto_en_demo.json": "unpaired_preference",
    "xquad_en.json": "squad",
    "blns.txt": "text",
    "blns.json": "text",
}
MAPPED = {
    "sms_spam.tsv": {"text": "column_2", "target": "column_1"},
    "sms_spam_kaggle_cp1252.csv": {"text": "v2", "target": "v1"},
    "amazon_cells_labelled.txt": {"text": "column_1", "target": "column_2"},
    "e2e_nlg_dev.csv": {"prompt": "mr", "completion": "ref"},
    "e2e_nlg_test_refs.csv": {"prompt": "mr", "completion": "ref"},
    "ar2en_train.txt": {"prompt": "column_1", "completion": "column_2"},
    "ar2en_eval.txt": {"prompt": "column_1", "completion": "column_2"},
    "ar2en_test.txt": {"prompt": "column_1", "completion": "column_2"},
    "tatoeba_eng_swe.txt": {"prompt": "column_1", "completion": "column_2"},
    "mbpp.jsonl": {"prompt": "text", "completion": "code"},
}


def path_of(name: str) -> Path:
    return next(path for path in REAL.glob(f"*/{name}"))


@pytest.mark.parametrize("entry", COUNTED, ids=[entry["name"] for entry in COUNTED])
def test_every_record_comes_out(entry):
    records = list(open_records(path_of(entry["name"])))
    unfold = formats[FORMATS.get(entry["name"], "text")]().unfolder()
    rows = [
        list(unfold(record.row)) if isinstance(record, Record) else [None] for record in records
    ]
    assert sum(map(len, rows)) == entry["rows"]


def test_every_file_is_tried():
    assert set(TRUE_ROWS) == {*FORMATS, *MAPPED}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_recognised(name):
    result = check(path_of(name))
    assert (result.report.status, result.report.format["name"]) == ("ready", FORMATS[name])
    assert result.report.rows + result.report.bad_rows == TRUE_ROWS[name]


@pytest.mark.parametrize("name", MAPPED)
def test_tables_without_telling_names_need_a_mapping_and_the_guess_is_right(name):
    report = check(path_of(name)).report
    assert report.status == "needs_mapping"
    assert {key: report.format[key] for key in MAPPED[name]} == MAPPED[name]
    mapped = check(path_of(name), formats[report.format["name"]].model_validate(report.format))
    assert mapped.report.status == "ready"
    assert mapped.report.rows + mapped.report.bad_rows == TRUE_ROWS[name]


@pytest.mark.parametrize(
    ("name", "rows", "labels"),
    [
        ("dpo_en_demo.json", 300, {}),
        ("kto_en_demo.json", 300, {"desirable": 150, "undesirable": 150}),
        ("alpaca_en_demo.json", 999, {}),
        ("wiki_demo.txt", 30, {}),
    ],
)
def test_every_row_is_accepted(name, rows, labels):
    report = check(path_of(name)).report
    assert (report.rows, report.bad_rows, report.labels) == (rows, 0, labels)


def test_a_record_with_many_questions_is_many_rows():
    report, examples, _ = check(path_of("xquad_en.json"))
    assert (report.format["name"], report.rows, report.bad_rows) == ("squad", 1190, 0)
    assert (
        examples[0]
        .messages[0]
        .content.endswith("How many points did the Panthers defense surrender?")
    )
    assert examples[0].messages[1].content == "308"


def test_exact_duplicates_are_counted():
    assert check(path_of("mlx_prompt_completion_train.jsonl")).report.codes["duplicate"] == 437


@pytest.mark.parametrize("name", EXPECTED)
def test_stated_outcomes(name):
    expected = EXPECTED[name]
    report, _, findings = check(NASTY / name)
    bad = [finding for finding in findings if finding.level == "bad"]
    if "rows" in expected and report.status == "ready":
        assert report.rows + report.bad_rows == expected["rows"]
    if "bad_lines" in expected:
        assert [finding.line for finding in bad] == expected["bad_lines"]
    if "bad_rows" in expected:
        assert [finding.row for finding in bad] == expected["bad_rows"]
    if "line" in expected:  # counted from zero there
        assert [finding.line for finding in bad] == [expected["line"] + 1]
    if "duplicates" in expected:
        assert report.codes["duplicate"] == expected["duplicates"]
    count = expected.get("blank") or expected.get("missing") or expected.get("rows_without_target")
    assert count is None or report.bad_rows == count
    if expected["expect"].startswith("refuse:") and "detect" not in expected["expect"]:
        assert report.status == "invalid"
    elif expected["expect"].startswith("accept"):
        assert report.status == "ready"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("unclosed_quote.csv", [245]),
        ("nonstring_targets.jsonl", None),
        ("one_2MB_cell.json", [101]),
        ("nul_and_lone_surrogate.jsonl", [8, 10]),
        ("single_class.csv", [None]),
        ("duplicate_header.csv", None),
    ],
)
def test_findings_point_at_their_rows(name, rows):
    others = {"rare_class", "may_be_cut", "not_read"}
    findings = [each for each in check(NASTY / name).findings if each.code not in others]
    assert findings
    assert rows is None or [finding.row for finding in findings] == rows


def test_labels_with_gaps_are_three_classes():
    report = check(NASTY / "float_labels_with_gaps.csv").report
    assert set(report.labels) == {"0", "1", "2"}


def test_labels_that_differ_by_case_are_told():
    report = check(NASTY / "label_variants.csv").report
    assert report.codes["label_variants"] > 0


@pytest.mark.parametrize("path", real_files("nasty/csv-spectrum/csvs"), ids=lambda path: path.name)
def test_csv_spectrum_exactly(path):
    truth = (path.parents[1] / "json" / f"{path.stem}.json").read_text()
    if b"\r\n" not in path.read_bytes():  # the collection's own copy lost them
        truth = truth.replace("\\r\\n", "\\n")
    assert read(path) == (json.loads(truth), [])


@pytest.mark.parametrize("path", real_files("nasty/JSONTestSuite"), ids=lambda path: path.name)
def test_json_suite(path):
    """y_ is JSON, though perhaps no list of objects; n_ is refused; i_ may be either."""
    try:
        bad = {record.code for record in open_records(path) if isinstance(record, BadRecord)}
    except DataError as error:
        bad = {error.code}
    if path.name.startswith("y_"):
        assert bad <= {"not_an_object", "no_rows"}
    elif path.name.startswith("n_"):
        assert bad


@pytest.mark.parametrize("path", real_files("nasty/csvkit"), ids=lambda path: path.name)
def test_csvkit_files_are_read_or_refused(path):
    if path.name == "empty.csv":
        with pytest.raises(DataError):
            open_records(path)
    else:
        assert count_of(path) > 0
