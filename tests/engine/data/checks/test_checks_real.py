"""What checks say of files that people have: true counts, and silence where nothing is wrong."""

from __future__ import annotations

from functools import cache

import pytest

from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.store.batch import stored
from tests.engine.data.checks.faulty_rows import issues
from tests.engine.data.files import NASTY, REAL, Checked, check, needs_real_data

pytestmark = needs_real_data


@cache
def outcome_of(name: str) -> Checked:
    """What checking the file gave; the format guessed where it needs a mapping."""
    path = next(REAL.glob(f"*/{name}"), NASTY / name)
    outcome = check(path)
    if outcome.report.status != "needs_mapping":
        return outcome
    guess = outcome.report.format
    return check(path, formats[guess["name"]].model_validate(guess))


def rows_of(name):
    """The class of the file's rows, and the rows."""
    examples = outcome_of(name).examples
    return type(examples[0]), [stored(example) for example in examples]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlx_prompt_completion_train.jsonl", {"duplicate": 437}),
        ("sms_spam.tsv", {"duplicate": 403, "class_imbalance": 1, "mojibake": 35}),
        ("sms_spam_kaggle_cp1252.csv", {"duplicate": 403, "mojibake": 356}),
        ("identity.json", {"placeholder": 85}),
        ("dups_40pct.jsonl", {"duplicate": 80}),
        ("label_variants.csv", {"label_variants": 54}),
        ("single_class.csv", {"single_class": 1}),
        ("one_2MB_cell.json", {"long_row": 1}),
        ("html_everywhere.csv", {"markup": 40}),
        ("e2e_nlg_dev.csv", {"conflicting_answers": 1}),
        ("openai_toy_chat_fine_tuning.jsonl", {"repeated_text": 1}),
    ],
)
def test_true_counts(name, expected):
    codes = outcome_of(name).report.codes
    assert {code: codes.get(code) for code in expected} == expected


CLEAN = {
    "banking77_test.csv": {"near_duplicate"},
    "ar2en_eval.txt": set(),
    "wiki_demo.txt": set(),
    "utf8_bom.jsonl": {"near_duplicate"},
    "gpteacher_codegen.json": {"near_duplicate", "placeholder", "personal_data", "mojibake"},
    "tatoeba_eng_swe.txt": {"near_duplicate", "conflicting_answers", "not_read"},
}
"""Files with little wrong, and what is true of a few of their rows."""


@pytest.mark.parametrize("name", CLEAN)
def test_files_with_little_wrong_are_left_alone(name):
    report, _, findings = outcome_of(name)
    warnings = [finding.code for finding in findings if finding.level == "warning"]
    assert set(warnings) <= CLEAN[name]
    assert len(warnings) <= report.rows / 50


def test_rows_of_the_training_file_in_the_validation_file_are_leaks():
    kind, train = rows_of("mlx_prompt_completion_train.jsonl")
    _, held_out = rows_of("mlx_prompt_completion_valid.jsonl")
    known = {str(row) for row in train}
    leaking = [row for row in held_out if str(row) in known]
    rows = [*train, *(row | {"split": "validation"} for row in leaking)]
    named = {found.row for found in issues("leakage", kind, rows)}
    assert len(leaking) == 16
    assert named == set(range(len(train) + 1, len(rows) + 1))


def test_broken_characters_are_found_where_they_are():
    kind, rows = rows_of("dpo_en_demo.json")
    (found,) = issues("mojibake", kind, rows)
    assert "fiancÃ©" in str(rows[found.row - 1])
