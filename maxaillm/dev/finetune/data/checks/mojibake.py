"""Mojibake: texts that were read in the wrong encoding, “Ã©” for “é”."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits, not_ascii
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

HINTS = (
    r"\x{FFFD}|[\x{80}-\x{9F}]|[\x{2010}-\x{25FF}][\x{A0}-\x{24F}]"
    r"|[\x{A0}-\x{24F}][\x{A0}-\x{24F}\x{2C6}-\x{2DC}\x{2010}-\x{25FF}]"
)
"""Matches, in RE2, what one letter of two bytes or more becomes in a wrong encoding."""
QUOTED = re.compile("[»”›][^\\W\\d_]")
"""A quotation that begins with a capital: »Über«, ”Är”."""
LOST = "\ufffd"


@checks.register
class Mojibake(Check):
    label: ClassVar[str] = "Broken characters"
    why: ClassVar[str] = "Text read in the wrong encoding is noise: the model learns to write it."
    advice: ClassVar[str] = "Repair the text, or save the file as UTF-8 and upload it again."
    fix: ClassVar[str | None] = "repair_text"

    name: Literal["mojibake"] = "mojibake"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for row, (message, around) in first_of_each_row(
            hits(batch, HINTS, not_ascii(batch)), broken_in
        ):
            yield Issue(batch.numbers[row], message, around)


def broken_in(text: str) -> tuple[str, str] | None:
    """What is broken, and what stands around it."""
    from ftfy.badness import BADNESS_RE

    if (at := text.find(LOST)) >= 0:
        message = "A character was lost when the text was read (“\ufffd”)."
        return message, text[max(0, at - 40) : at + 40]
    matches = BADNESS_RE.finditer(text)
    match = next((match for match in matches if not QUOTED.fullmatch(match[0])), None)
    if match is None:
        return None
    message = f"Characters were read in the wrong encoding: {match[0]!r:.40}."
    return message, text[max(0, match.start() - 40) : match.end() + 40]
