"""Mojibake: texts that were read in the wrong encoding, “Ã©” for “é”."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.encoding_repair import HINTS, repaired
from maxaillm.dev.finetune.data.analysis.text_search import hits, not_ascii
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.store.changes import with_texts

QUOTED = re.compile("[»”›][^\\W\\d_]")
"""A quotation that begins with a capital: »Über«, ”Är”."""
LOST = "\ufffd"


@checks.register
class Mojibake(Check):
    label: ClassVar[str] = "Broken characters"
    why: ClassVar[str] = "Text read in the wrong encoding is noise: the model learns to write it."
    advice: ClassVar[str] = (
        "Repair the text where that is offered; else choose the file's encoding, or save it as "
        "UTF-8."
    )
    fix: ClassVar[str | None] = "repair_text"
    codes: ClassVar[frozenset[str]] = frozenset({"lost_characters", "odd_characters"})
    """Of rows that nothing here can put right."""

    name: Literal["mojibake"] = "mojibake"

    @classmethod
    def fix_of(cls, code: str) -> str | None:
        return None if code in cls.codes else cls.fix

    def see(self, batch: Batch) -> Iterator[Issue]:
        """What the fix changes has the check's own name: both are one count."""
        found: dict[int, list[str]] = {}
        for row, _, text in hits(batch, HINTS, not_ascii(batch)):
            found.setdefault(row, []).append(text)
        for row, texts in found.items():
            example = batch.examples[row]
            after = with_texts(batch.kind, example, lambda piece: repaired(piece.text))
            broken = next((each for text in texts if (each := broken_in(text))), None)
            if after is not example:
                message, around = broken or ("Characters were read in the wrong encoding.", "")
                yield Issue(batch.numbers[row], message, around or texts[0][:80])
            elif broken is not None:
                is_lost = any(LOST in text for text in texts)
                code = "lost_characters" if is_lost else "odd_characters"
                yield Issue(batch.numbers[row], *broken, code)


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
