"""Writes docs/data_files.md: what the check makes of real files, beside their true counts.

Run: MAXFT_TEST_DATA=... python -m docs.data_files [--check]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from docs.generated import write_or_check
from maxaillm.dev.finetune.data.analysis.findings import Report
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.reading.validate import validate

PAGE = Path(__file__).with_name("data_files.md")
DATA = Path(os.environ.get("MAXFT_TEST_DATA") or Path(__file__).parents[2] / "shared") / "data"
COLLECTIONS = ("csv-spectrum", "csvkit", "JSONTestSuite")
NO_ROWS = {"field", "statistics"}
"""Folders of inputs for single tests, and of numbers that tests compare with."""
TEXT = """\
# Real files

Made by `python -m docs.data_files` from the files of `MAXFT_TEST_DATA`, as people have them on
their disks. *True rows* is what the collection's own list states. A file is right where the rows
that can be trained on and those that are named as bad make the true number together: no row is
lost between the counts. Files whose columns don't tell what they hold are asked about; the guess
is what the mapping page offers, and the counts are those with it.

| file | true rows | recognised as | can be trained on | bad | right | findings |
|---|---:|---|---:|---:|---|---|
"""


class Checked(NamedTuple):
    """A file, as the check reads it."""

    report: Report
    was_asked: bool
    codes: dict[str, int]

    @property
    def counted(self) -> int:
        return self.report.rows + self.report.bad_rows

    @property
    def kind(self) -> str:
        """What it was recognised as, or why not."""
        if self.report.status == "invalid" and self.report.error is not None:
            return f"refused: {self.report.error.message}"
        name = (self.report.format or {}).get("name", "")
        label = formats[name].label if name in formats else "nothing"
        return f"asked; guess: {label}" if self.was_asked else label


def main() -> int:
    stated = true_rows()
    lines = [line_of(path, stated) for path in files()]
    print(f"{len(lines)} files, {sum('**no**' in line for line in lines)} wrong")
    lines += map(line_of_collection, COLLECTIONS)
    return write_or_check(PAGE, TEXT + "\n".join(lines) + "\n")


def true_rows() -> dict[str, int]:
    """By file name, what the lists that lie beside the files say."""
    listed = json.loads((DATA / "manifest.json").read_text())
    made = json.loads((DATA / "nasty/derived/expected.json").read_text())
    rows = {entry["name"]: entry["rows"] for entry in listed}
    rows |= {name: entry["rows"] for name, entry in made.items() if "rows" in entry}
    return {name: count for name, count in rows.items() if isinstance(count, int)}


def files() -> Iterator[Path]:
    for path in sorted(DATA.rglob("*")):
        within = path.relative_to(DATA).parts
        is_about = path.name in {"README.md", "manifest.json", "expected.json"}
        if path.is_file() and not is_about and not {*within} & {*COLLECTIONS, *NO_ROWS}:
            yield path


def check(path: Path) -> Checked:
    report = validate(path, name=path.name)
    if report.status == "needs_mapping" and report.format is not None:
        mapped = formats[report.format["name"]].model_validate(report.format)
        again = validate(path, mapped, name=path.name)
        return Checked(again, was_asked=True, codes=again.codes)
    return Checked(report, was_asked=report.status == "needs_mapping", codes=report.codes)


def line_of(path: Path, stated: dict[str, int]) -> str:
    checked = check(path)
    true = stated.get(path.name)
    is_ready = checked.report.status == "ready"
    right = "" if true is None or not is_ready else "yes" if checked.counted == true else "**no**"
    cells: list[Any] = [
        f"`{path.relative_to(DATA)}`",
        "" if true is None else f"{true:,}",
        checked.kind,
        f"{checked.report.rows:,}" if is_ready else "",
        f"{checked.report.bad_rows:,}" if is_ready else "",
        right,
        ", ".join(f"{code} {count:,}" for code, count in sorted(checked.codes.items())),
    ]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def line_of_collection(name: str) -> str:
    """Collections of files that try parsers: how many are taken, asked about, refused."""
    counts = {"ready": 0, "needs_mapping": 0, "invalid": 0}
    paths = [path for path in sorted((DATA / "nasty" / name).rglob("*")) if path.is_file()]
    for path in paths:
        counts[validate(path, name=path.name).status] += 1
    words = (
        f"{counts['ready']} taken, {counts['needs_mapping']} asked about, "
        f"{counts['invalid']} refused with a reason"
    )
    return f"| `nasty/{name}/` | {len(paths)} files | {words} | | | | |"


if __name__ == "__main__":
    sys.exit(main())
