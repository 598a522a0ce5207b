"""Names that people give to runs, data and models: a line of text without hidden characters."""

from __future__ import annotations

import re
from typing import TypeVar, overload

SPACES = re.compile(r"\s+")
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, marks that turn the direction of writing, what no screen shows, and halves of
characters. The joiners U+200C and U+200D stay: Persian words and families of emoji need them."""

T = TypeVar("T")


@overload
def plain_name(name: str) -> str: ...
@overload
def plain_name(name: T) -> T | str: ...
def plain_name(name: T) -> T | str:
    """`name` in one line, hidden characters left out; what is no text stays as it is."""
    if not isinstance(name, str):
        return name
    return SPACES.sub(" ", HIDDEN.sub("", SPACES.sub(" ", name))).strip()
