"""Placeholders left to be filled in: {{name}}, [INSERT X], lorem ipsum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge
from operator import attrgetter
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

TEMPLATE = r"\{\{ ?[A-Za-z_][\w ]{0,40}\}\}"
LEFT = (
    r"\[(?i:insert|(?:enter |add )?your|fill in)\b[^\[\]\n]{1,60}\]"
    r"|<(?i:insert|your)[ _][^<>\n]{1,40}>"
    r"|(?i:\blorem ipsum dolor\b)|\b(?:TODO|FIXME|TBD)\b"
)
"""What a question may well ask to be filled in: of weight where a model learns to write it."""
PLACEHOLDER = re.compile(f"{TEMPLATE}|{LEFT}")


@checks.register
class Placeholder(Check):
    label: ClassVar[str] = "Placeholders left"
    why: ClassVar[str] = "The model learns to write the placeholder instead of what belongs there."
    advice: ClassVar[str] = "Fill it in, or drop the row."
    fix: ClassVar[str | None] = "replace_text"

    name: Literal["placeholder"] = "placeholder"

    def see(self, batch: Batch) -> Iterator[Issue]:
        anywhere, in_answers = hits(batch, TEMPLATE), hits(batch, LEFT, batch.is_output)
        found = merge(anywhere, in_answers, key=attrgetter("at"))
        for row, (what, around) in first_of_each_row(found, placeholder_in):
            yield Issue(batch.numbers[row], f"{what!r:.80} is left to be filled in.", around)


def placeholder_in(text: str) -> tuple[str, str] | None:
    match = PLACEHOLDER.search(text)
    if match is None:
        return None
    return match[0], text[max(0, match.start() - 60) : match.end() + 60]
