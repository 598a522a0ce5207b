"""Personal data: texts with addresses, numbers, keys that may belong to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.personal_data import HINTS, Found, find
from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.texts import WordsColumn

AROUND = 60


@checks.register
class PersonalData(Check):
    label: ClassVar[str] = "Possible personal data"
    why: ClassVar[str] = "A model may give out what it has learned, word for word, to anybody."
    advice: ClassVar[str] = "Mask it, unless it is public or made up."
    fix: ClassVar[str | None] = "mask_personal_data"
    codes: ClassVar[frozenset[str]] = frozenset({"personal_data_in_words"})
    """Of words with a tag each, where a change would have to fit the tags."""

    name: Literal["personal_data"] = "personal_data"

    @classmethod
    def fix_of(cls, code: str) -> str | None:
        return None if code in cls.codes else cls.fix

    def see(self, batch: Batch) -> Iterator[Issue]:
        code = "personal_data_in_words" if batch.kind.columns_of(WordsColumn) else None
        for row, (message, around) in first_of_each_row(hits(batch, HINTS), personal_in):
            yield Issue(batch.numbers[row], message, around, code)


def personal_in(text: str) -> tuple[str, str] | None:
    """What was found, and the text around the first of it, in which nothing of it can be read."""
    found = find(text)
    if not found:
        return None
    labels = list(dict.fromkeys(item.kind.label for item in found))
    return f"This may be {' and '.join(labels[:3])}.", around(text, found)


def around(text: str, found: list[Found]) -> str:
    start, end = max(0, found[0].start - AROUND), found[0].end + AROUND
    parts, at = [], start
    for item in found:
        if item.start >= end:
            break
        parts += [text[at : item.start], "•" * 8]
        at = item.end
    return "".join([*parts, text[at:end]])
