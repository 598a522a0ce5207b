"""Writes docs/field_cases.md: situations from public reports, and what comes out here.

Run: MAXFT_TEST_DATA=... python -m docs.field_cases [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from docs.data_files import DATA, check
from docs.generated import write_or_check

PAGE = Path(__file__).with_name("field_cases.md")
CASES = DATA / "field"
READABLE = {".jsonl", ".json", ".csv", ".tsv", ".xlsx"}
HELD_BY: dict[str, dict[str, str]] = {
    "tests/engine/hf/batches/test_templates.py": {
        "01": "test_turns_stay_in_their_order",
        "02": "test_turns_stay_in_their_order",
        "04": "test_a_template_gets_tools_and_calls_as_objects",
        "05": "test_reasoning_is_learned_or_only_read",
        "38": "test_control_words_in_texts_are_text",
        "40": "test_a_row_that_is_cut_before_its_answer_has_another_hint",
        "51": "test_the_hint_is_a_fix_that_helps",
    },
    "tests/engine/data/reading/test_chats.py": {
        "07": "test_a_row_with_nothing_to_learn_is_named",
    },
    "tests/engine/hf/training/test_losses_accumulated.py": {
        "41": "test_one_batch_or_four_make_the_same_step",
    },
    "tests/engine/methods/test_untrained_tokens.py": {
        "44": "test_their_rows_are_trained_saved_and_merged",
        "45": "test_added_tokens_get_rows",
    },
    "tests/engine/model/test_adapter_base.py": {
        "47": "test_other_weights_are_refused_unless_asked_for",
    },
    "tests/engine/hf/training/test_verdict.py": {
        "49": "test_a_ruined_model_is_no_result",
    },
    "tests/engine/hf/prepare/test_unseen_labels.py": {
        "50": "test_a_label_of_the_held_out_rows_alone_is_refused",
    },
    "tests/engine/model/test_llm.py": {
        "60": "test_nothing_of_a_stop_string_is_shown",
        "63": "test_a_piece_never_ends_inside_a_character",
    },
    "tests/jobs/api/test_openai.py": {
        "62": "test_an_answer_whole_and_in_chunks_is_the_same",
        "64": "test_parallel_requests_of_one_key_are_all_answered",
        "66": "test_tools_and_what_they_found_reach_the_model",
        "67": "test_hanging_up_stops_the_answer",
    },
    "tests/faults/test_stops.py": {
        "71": "test_pause_and_resume",
    },
    "tests/e2e/test_data_studio_in_browser.py": {
        "72": "test_an_upload_goes_on_where_it_was_cut_off",
    },
}
"""By file and the number of a case: the test that holds what comes out behind the check, or where
the case has no dataset of its own."""
TEXT = """\
# Situations from public reports

Made by `python -m docs.field_cases` from the folder `field` of `MAXFT_TEST_DATA`: what people
reported of other tools, with the input that shows it and what should come out. *Comes out* is
what the check makes of each file; what happens behind it, in a run or over the API, is held by
the test that is named.

| case | should | comes out |
|---|---|---|
"""


class Case(NamedTuple):
    """A folder with a README and the inputs."""

    folder: Path

    @property
    def number(self) -> str:
        return self.folder.name.partition("-")[0]

    @property
    def should(self) -> str:
        """What the README says, up to how an older version did."""
        said = (self.folder / "README").read_text(encoding="utf-8")
        return " ".join(re.split(r"\n?(?:Comes out|Source|Command)\b", said)[0].split())

    @property
    def files(self) -> list[Path]:
        return [path for path in sorted(self.folder.iterdir()) if path.suffix in READABLE]

    @property
    def comes_out(self) -> str:
        lines = [outcome(path) for path in self.files]
        lines += [
            f"`{file}::{tests[self.number]}`"
            for file, tests in HELD_BY.items()
            if self.number in tests
        ]
        return "<br>".join(lines) or "not yet"


def outcome(path: Path) -> str:
    """`file`: kind, rows, bad rows, findings."""
    checked = check(path)
    parts = [checked.kind]
    if checked.report.status == "ready":
        parts.append(f"{checked.report.rows} usable")
    if checked.report.bad_rows:
        parts.append(f"{checked.report.bad_rows} named as bad")
    parts += [f"{code} {count}" for code, count in sorted(checked.codes.items())]
    return f"`{path.name}`: {', '.join(parts)}"


def main() -> int:
    cases = [Case(folder) for folder in sorted(CASES.iterdir()) if folder.is_dir()]
    rows = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        for cells in ((case.folder.name, case.should, case.comes_out) for case in cases)
    ]
    return write_or_check(PAGE, TEXT + "\n".join(rows) + "\n")


if __name__ == "__main__":
    sys.exit(main())
