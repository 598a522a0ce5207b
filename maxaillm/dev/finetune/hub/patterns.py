"""Patterns of a dataset's card, matched against the list of its files and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from maxaillm.dev.finetune.errors import DataError

OUTSIDE = re.compile(r"^[/~]|\\|\0|::|://|^\w+:|(^|/)\.\.(/|$)")
"""What leads elsewhere: an absolute path, an address, a chain of file systems, a way up."""
MAX_CHARS = 1000
ANY_FOLDERS = "**"


def files_meant(pattern: object, folder: str, names: Sequence[str]) -> list[str]:
    """Those of `names` that a card's `pattern`, read from `folder`, stands for.

    Raises DataError for one that means anything outside the repository.
    """
    whole = "/".join(part for part in (inside(folder), inside(pattern)) if part)
    if whole in names:
        return [whole]
    wanted = re.sub(r"(?<![^/])\*\*(?=[^/])", "**/*", whole).split("/")
    return [name for name in names if is_match(name.split("/"), wanted)]


def inside(pattern: object) -> str:
    """A pattern or folder of a card without needless dots and slashes, if it stays inside."""
    if not isinstance(pattern, str) or len(pattern) > MAX_CHARS or OUTSIDE.search(pattern):
        raise DataError(
            f"The card names {pattern!r:.120}, which is no file of the repository.",
            "Take another subset or revision, or tell the authors of the dataset.",
            code="hub_card",
        )
    return "/".join(part for part in pattern.split("/") if part not in {"", "."})


def is_match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """As `glob` matches: `*` within a name, `**` any number of folders.

    No pattern takes longer than names times parts, unlike one regular expression for the whole.
    """
    reached = {0}
    for want in wanted:
        if want == ANY_FOLDERS:
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(parts) and fnmatchcase(parts[at], want)}
        if not reached:
            return False
    return len(parts) in reached
