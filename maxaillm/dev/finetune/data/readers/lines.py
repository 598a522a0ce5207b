"""Lines of a file, many at a time; none of them can fill the memory."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS, BadRecord

BLOCK_CHARS = 2**17
SNIPPET_CHARS = 200
LINE_END = re.compile(r"[\r\n]")
MARK = re.compile(r"(\A|[\r\n])\ufeff+(?=[^\r\n])")


class Line(NamedTuple):
    """A physical line with its end."""

    number: int
    text: str


class LineBlocks:
    """Takes lines from a file that is opened with `newline=""`: they end as they do there.

    Of a line that is too long only the beginning comes, itself too long.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.rest, self.is_at_end = file, "", False

    def take(self) -> list[str]:
        """The next lines, [] where there are no more."""
        while piece := self.file.read(max(BLOCK_CHARS, len(self.rest))):  # doubles: stays linear
            text = self.rest + piece
            end = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1  # "\n" may follow "\r"
            self.rest = text[end:]
            if len(self.rest) >= RECORD_CHARS and not self.rest.endswith("\r"):
                self.rest += self.from_line_end()
            if end:
                return split_lines(text[:end])
        self.is_at_end = True
        text, self.rest = self.rest, ""
        return split_lines(text)

    def put_back(self, lines: list[str]) -> None:
        """`lines`, the last that were taken, come once more, with others after them."""
        self.rest = "".join(lines) + self.rest

    def from_line_end(self) -> str:
        """Leave out the rest of a line; what was read from its end on."""
        while piece := self.file.read(BLOCK_CHARS):
            if match := LINE_END.search(piece):
                return piece[match.start() :]
        return ""


def split_lines(text: str) -> list[str]:
    """Lines with their ends, without the byte order marks that files have which were joined."""
    if "\ufeff" in text:
        text = MARK.sub(r"\1", text)
    return list(io.StringIO(text, newline=""))


def lines(file: TextIO) -> Iterator[Line]:
    blocks = LineBlocks(file)
    number = 1
    while block := blocks.take():
        yield from map(Line, range(number, number + len(block)), block)
        number += len(block)


def is_too_long(text: str) -> bool:
    return len(text) >= RECORD_CHARS and len(text.rstrip("\r\n")) >= RECORD_CHARS


def too_long(line: Line) -> BadRecord:
    return BadRecord(
        line.number,
        "record_too_long",
        f"This row is longer than {RECORD_CHARS // 2**20} million characters.",
        line.text[:SNIPPET_CHARS],
        "Split it into several rows.",
    )
