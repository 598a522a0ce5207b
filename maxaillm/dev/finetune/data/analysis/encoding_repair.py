"""Repair of texts that were read in the wrong encoding: “cafÃ©” is “café”."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

HINTS = (
    "\ufffd|[\u0080-\u009f]|[\u2010-\u25ff][\u00a0-\u024f]"
    "|[\u00a0-\u024f][\u00a0-\u024f\u02c6-\u02dc\u2010-\u25ff]"
)
"""Matches, in RE2 as in Python, what a letter of two bytes or more becomes in a wrong encoding."""
HINT = re.compile(HINTS)
UNWANTED = {"Cc", "Cn", "Co", "Cs"}


def repaired(text: str) -> str:
    """`text` in the encoding it was meant in; as it is where that would not make it better."""
    if text.isascii() or HINT.search(text) is None:
        return text  # nothing to repair, and ten times as fast
    import ftfy

    after = ftfy.fix_text(text, only_encoding())
    return after if after != text and is_better(text, after) else text


def is_better(before: str, after: str) -> bool:
    """Whether less of `after` looks odd, and nothing came in that stands in no text."""
    from ftfy.badness import badness

    new = set(after) - set(before)
    if any(unicodedata.category(char) in UNWANTED for char in new):
        return False
    has_lone_mark = any(is_lone_mark(after, at) for at, char in enumerate(after) if char in new)
    return not has_lone_mark and badness(after) < badness(before)


def is_lone_mark(text: str, at: int) -> bool:
    """Whether an accent stands there without a letter below it."""
    if not unicodedata.category(text[at]).startswith("M"):
        return False
    return at == 0 or unicodedata.category(text[at - 1])[0] not in "LM"


@cache
def only_encoding() -> TextFixerConfig:
    """ftfy's repair of encodings without its taste in quotes, ligatures, widths and line ends."""
    import ftfy

    return ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
