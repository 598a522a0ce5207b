"""Lists and objects that a table's cell holds as text: as JSON, Python or numpy write them."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from typing import Any

ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\](){}:]+""", re.DOTALL)
GAP = re.compile(r"\s*,?\s*")
BARE = {"True": True, "False": False, "None": None, "nan": None}


def written_value(text: str) -> Any:
    """The value that `text` writes as JSON or, as pandas does in tables, in Python or as numpy
    shows arrays: ['a' 'b']. None where it is none of them.

    Python itself would join 'a' 'b' into one word, and read 'Don''t' as Dont.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    text = text.strip()
    gaps = gaps_in(text)
    if gaps is not None and gaps and "," not in "".join(gaps):
        return array_of(text) if all(gaps) else None
    if gaps is not None and any("," not in gap for gap in gaps):
        return None
    try:
        return literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def gaps_in(text: str) -> list[str] | None:
    """What stands between the items of a flat list; None of anything else."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    at, end, gaps = 1, len(text) - 1, list[str]()
    at += len(text[at:end]) - len(text[at:end].lstrip())
    while at < end:
        item = ITEM.match(text, at, end)
        if item is None:
            return None
        gap = GAP.match(text, item.end(), end)
        at = gap.end() if gap else item.end()
        if gap and at < end:
            gaps.append(gap[0])
    return gaps


def array_of(text: str) -> list[Any] | None:
    """The items of a numpy array; None where it is shortened or holds something else."""
    values: list[Any] = []
    for item in ITEM.findall(text[1:-1]):
        if item in BARE:
            values.append(BARE[item])
            continue
        try:
            values.append(literal_eval(item))
        except (ValueError, TypeError, SyntaxError):
            return None
        if values[-1] is ...:
            return None
    return values
