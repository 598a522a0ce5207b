"""Writes docs/checks.md: the quality checks and the fixes, as their classes describe them.

Run: python -m docs.check_table [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from docs.generated import write_or_check
from maxaillm.dev.finetune.data.checks import checks
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.data.formats import formats

PAGE = Path(__file__).with_name("checks.md")
TEXT = """\
# Checks, fixes and formats of data

Made by `python -m docs.check_table` from the classes themselves. A check looks at rows that can
be trained on and never drops one; a fix makes a new version of a dataset, and shows first what
it will change. Each is one file, in `maxaillm/dev/finetune/data/checks/`, `fixes/` and `formats/`.
"""


def main() -> int:
    lines = [TEXT, *check_lines(), "", *fix_lines(), "", *format_lines(), ""]
    return write_or_check(PAGE, "\n".join(lines))


def check_lines() -> Iterator[str]:
    yield "## Checks\n\n| check | why it matters | what to do | mended by |\n|---|---|---|---|"
    for _, check in sorted(checks.items()):
        fix = fixes[check.fix].label if check.fix else ""
        yield f"| {check.label} | {check.why} | {check.advice} | {fix} |"


def fix_lines() -> Iterator[str]:
    yield "## Fixes\n\n| fix | what it does | options |\n|---|---|---|"
    for _, fix in sorted(fixes.items()):
        options = (info.title or name for name, info in fix.model_fields.items() if name != "name")
        yield f"| {fix.label} | {fix.summary} | {', '.join(options)} |"


def format_lines() -> Iterator[str]:
    yield "## Formats\n\n| format | a row |\n|---|---|"
    for _, each in sorted(formats.items()):
        yield f"| {each.label} | {each.summary} |"


if __name__ == "__main__":
    sys.exit(main())
