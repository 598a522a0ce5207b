"""Lists and objects that a table's cell holds as text: as JSON, Python or numpy write them."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from json import JSONDecodeError
from math import isfinite
from typing import Any

MAX_DEPTH = 64
"""Lists and objects within each other; chats with tool calls have about ten."""
PYTHON_CHARS = 2**20
"""More of Python's notation is not read: its parser takes 250 bytes of memory a character."""
ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\](){}:]+""", re.DOTALL)
GAP = re.compile(r"\s*,?\s*")
BARE = {"True": True, "False": False, "None": None, "nan": None}
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and half a surrogate pair: no database and no tokenizer takes them."""
ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""They, and pairs that are whole, as JSON writes them."""


class NotJsonError(ValueError):
    """A value that JSON has no way to write, or that would be read in part only."""


def written_value(text: str) -> Any:
    """The value that `text` writes as JSON or, as pandas does in tables, in Python or as numpy
    shows arrays: ['a' 'b']. None where it is none of them, or holds what no data file may: a key
    twice, a number that is none, more than MAX_DEPTH levels. What can't be stored of a text
    becomes U+FFFD.

    Python itself would join 'a' 'b' into one word, and read 'Don''t' as Dont.
    """
    try:
        try:
            value = DECODER.decode(text)
        except JSONDecodeError:
            return plain(python_value(text.strip()))
        return value if is_plain_json(text) else plain(value)
    except (ValueError, RecursionError):
        return None


def python_value(text: str) -> Any:
    """What `text` writes in Python's notation or numpy's; None where it is neither."""
    if len(text) > PYTHON_CHARS:
        return None
    gaps = gaps_in(text)
    if gaps is not None and gaps and "," not in "".join(gaps):
        return array_of(text) if all(gaps) else None
    if gaps is not None and any("," not in gap for gap in gaps):
        return None
    try:
        return literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJsonError
    return found


def number(digits: str) -> float:
    """Raises NotJsonError for NaN and what is infinite."""
    value = float(digits)
    if not isfinite(value):
        raise NotJsonError
    return value


DECODER = json.JSONDecoder(object_pairs_hook=object_of, parse_constant=number, parse_float=number)


def is_plain_json(text: str) -> bool:
    """Whether nothing but what `DECODER` looks at can be wrong: most cells are, and cost half."""
    is_flat = text.count("[") + text.count("{") <= MAX_DEPTH
    return is_flat and ("\\u" not in text or ESCAPED.search(text) is None)


def plain(value: Any, room: int = MAX_DEPTH) -> Any:
    """`value` as a data file of JSON would have given it; `room` is how deep it may still go.

    Raises NotJsonError for what JSON does not have.
    """
    if isinstance(value, str):
        return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, list | tuple) and room:
        return [plain(item, room - 1) for item in value]
    if isinstance(value, dict) and room and all(isinstance(key, str) for key in value):
        return {plain(key): plain(item, room - 1) for key, item in value.items()}
    raise NotJsonError


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
