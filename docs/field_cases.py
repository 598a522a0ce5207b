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
HELD_BY = {
    "01": "tests/engine/data/reading/test_chats.py",
    "02": "tests/engine/data/reading/test_chats.py",
    "04": "tests/engine/hf/batches/test_templates.py",
    "05": "tests/engine/hf/batches/test_templates.py",
    "38": "tests/engine/hf/batches/test_templates.py",
    "40": "tests/engine/hf/token_view/test_token_view.py",
    "41": "tests/engine/hf/training/test_losses_accumulated.py",
    "44": "tests/engine/methods/test_untrained_tokens.py",
    "45": "tests/engine/methods/test_untrained_tokens.py",
    "47": "tests/engine/model/test_adapter_base.py",
    "49": "tests/engine/hf/training/test_verdict.py",
    "50": "tests/engine/hf/training/test_tasks.py",
    "51": "tests/engine/hf/batches/test_templates.py",
    "60": "tests/engine/model/test_llm.py",
    "62": "tests/jobs/api/test_openai.py",
    "63": "tests/engine/model/test_llm.py",
    "64": "tests/jobs/api/test_openai.py",
    "66": "tests/jobs/api/test_openai.py",
    "67": "tests/jobs/api/test_openai.py",
    "71": "tests/faults/test_stops.py",
    "72": "tests/e2e/test_data_studio_in_browser.py",
}
"""By the number of a case without a dataset of its own, or that goes on behind it: the test that
holds what comes out."""
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
        if self.number in HELD_BY:
            lines.append(f"`{HELD_BY[self.number]}`")
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
