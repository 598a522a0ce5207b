"""Lines of a file, none of which can fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TextIO

from maxaillm.dev.finetune.readers.records import RECORD_CHARS, BadRecord

SNIPPET_CHARS = 200


class Line(NamedTuple):
    """A physical line with its end; of one that is too long only the beginning."""

    number: int
    text: str
    is_whole: bool = True


def lines(file: TextIO) -> Iterator[Line]:
    number = 0
    while text := file.readline(RECORD_CHARS):
        number += 1
        if not is_cut(text):
            yield Line(number, text)
            continue
        beginning = text[:SNIPPET_CHARS]
        while is_cut(text):
            text = file.readline(RECORD_CHARS)
        yield Line(number, beginning, is_whole=False)


def is_cut(text: str) -> bool:
    return len(text) >= RECORD_CHARS and not text.endswith(("\n", "\r"))


def too_long(line: Line) -> BadRecord:
    return BadRecord(
        line.number,
        "record_too_long",
        f"This row is longer than {RECORD_CHARS // 2**20} million characters.",
        line.text[:SNIPPET_CHARS],
        "Split it into several rows.",
    )
