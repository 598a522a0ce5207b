"""Markup: HTML that was left in texts, tags and entities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.code_text import CODE, looks_like_code, speaks_of_markup
from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.texts import WordsColumn

TAGS = (
    "p|br|div|span|b|i|u|em|strong|font|center|table|tr|td|th|tbody|ul|ol|li|h[1-6]|img|hr|sup|sub"
    "|blockquote|iframe|script|style|a"
)
ENTITIES = (
    "nbsp|amp|lt|gt|quot|apos|rsquo|lsquo|rdquo|ldquo|ndash|mdash|hellip|copy"
    "|#[0-9]{2,5}|#x[0-9a-fA-F]{2,4}"
)
HINTS = rf"(?i:</?(?:{TAGS})[\s/>])|&(?:{ENTITIES});"
"""Matches, in RE2, every text with markup, and a few others."""
MARKUP = re.compile(
    rf"(?i:</?(?:{TAGS})(?:\s[^<>]{{0,300}}=[^<>]{{0,300}})?\s{{0,9}}/?>)|&(?:{ENTITIES});"
)


@checks.register
class Markup(Check):
    """Not where a row is about markup or code: there it is what is to be learned."""

    label: ClassVar[str] = "HTML left in texts"
    why: ClassVar[str] = "The model learns to write the tags, and spends its length on them."
    advice: ClassVar[str] = "Strip the markup."
    fix: ClassVar[str | None] = "strip_markup"
    codes: ClassVar[frozenset[str]] = frozenset({"markup_in_words"})
    """Of words with a tag each, where a change would have to fit the tags."""

    name: Literal["markup"] = "markup"

    @classmethod
    def fix_of(cls, code: str) -> str | None:
        return None if code in cls.codes else cls.fix

    def see(self, batch: Batch) -> Iterator[Issue]:
        code = "markup_in_words" if batch.kind.columns_of(WordsColumn) else None
        for row, (what, around) in first_of_each_row(hits(batch, HINTS), markup_in):
            pieces = batch.kind.pieces_of(batch.examples[row])
            if not any(speaks_of_markup(piece.text) for piece in pieces):
                yield Issue(batch.numbers[row], f"HTML is left here: {what:.60}", around, code)


def markup_in(text: str) -> tuple[str, str] | None:
    prose = CODE.sub(" ", text)
    match = MARKUP.search(prose)
    if match is None or looks_like_code(prose):
        return None
    return match[0], prose[max(0, match.start() - 60) : match.end() + 60]
