"""Generated pages: written by their makers, or compared with what lies there (`--check`)."""

from __future__ import annotations

import sys
from pathlib import Path


def write_or_check(page: Path, text: str) -> int:
    """Write `text` to `page`; with `--check` only say whether it is there. Returns an exit code."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text)
        return 0
    if page.exists() and page.read_text() == text:
        return 0
    print(f"{page.name} is out of date: run it without --check and commit what it writes.")
    return 1
