"""Texts that were read in the wrong encoding: “Ã©” for “é”."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.checks import Batch, Check, Suspicion, checks
from maxaillm.dev.finetune.text_search import first_of_each_row, hits, not_ascii

PATTERN = (
    r"\x{FFFD}|[ÂÃ][\x{80}-\x{BF}ŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]"
    r"|â€|â[\x{80}-\x{BF}]|ï¿½|ï»¿|ðŸ|ð\x{9F}|[ÐÑ][\x{80}-\x{BF}][ÐÑ]|(?:[ãäåæçèé][\x{80}-\x{BF}]){2}"
)
LOST = "\ufffd"


@checks.register
class Mojibake(Check):
    label: ClassVar[str] = "Broken characters"
    why: ClassVar[str] = "Text read in the wrong encoding is noise: the model learns to write it."
    advice: ClassVar[str] = "Repair the text, or save the file as UTF-8 and upload it again."
    fix: ClassVar[str | None] = "repair_text"

    name: Literal["mojibake"] = "mojibake"

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        for row, (message, around) in first_of_each_row(
            hits(batch, PATTERN, not_ascii(batch)), broken_in
        ):
            yield Suspicion(batch.numbers[row], message, around)


def broken_in(text: str) -> tuple[str, str] | None:
    """What is broken, and what stands around it."""
    from ftfy.badness import BADNESS_RE

    if (at := text.find(LOST)) >= 0:
        message = "A character was lost when the text was read (“\ufffd”)."
        return message, text[max(0, at - 40) : at + 40]
    match: re.Match[str] | None = BADNESS_RE.search(text)
    if match is None:
        return None
    message = f"Characters were read in the wrong encoding: {match[0]!r:.40}."
    return message, text[max(0, match.start() - 40) : match.end() + 40]
