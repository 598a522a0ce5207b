"""The text of a JSON document: a window that slides over it, decoding one value after the other."""

from __future__ import annotations

from json import JSONDecodeError
from typing import Any, NamedTuple, NoReturn, TextIO

from maxaillm.dev.finetune.data.readers.json_records import DEEP, Decoder, explain
from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS, BadRecord, Record
from maxaillm.dev.finetune.errors import DataError

CHUNK = 2**18
BLANKS = " \t\n\r\ufeff"
"""The last is a byte order mark: files that were joined have it in their middle."""


class Value(NamedTuple):
    value: Any
    start: int
    end: int
    line: int


class JsonText:
    """A window that slides over a document, as wide as the value being read."""

    def __init__(self, file: TextIO, decoder: Decoder) -> None:
        self.file, self.decoder = file, decoder
        self.buffer, self.position = "", 0
        self.is_at_end = False
        self.line, self.counted = 1, 0
        """`line` is that of the character at `counted`."""

    def read_more(self) -> None:
        self.line_here()
        kept = self.buffer[self.position :]
        piece = self.file.read(max(CHUNK, len(kept)))  # doubles: long values stay linear
        self.is_at_end = not piece
        self.buffer, self.position, self.counted = kept + piece, 0, 0

    def line_here(self) -> int:
        self.line += self.buffer.count("\n", self.counted, self.position)
        self.counted = self.position
        return self.line

    def peek(self) -> str:
        """The next character that is no blank, or "" at the end."""
        while True:
            while self.position < len(self.buffer):
                if (char := self.buffer[self.position]) not in BLANKS:
                    return char
                self.position += 1
            if self.is_at_end:
                return ""
            self.read_more()

    def take(self, *expected: str) -> str:
        char = self.peek()
        if char not in expected or not char:
            self.fail(
                JSONDecodeError(f"Expecting {' or '.join(expected)}", self.buffer, self.position)
            )
        self.position += 1
        return char

    def value(self, limit: int = RECORD_CHARS) -> Value:
        """Decode the value that comes next, reading on until it is whole, up to `limit`."""
        self.peek()
        line = self.line_here()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.position)
                if end < len(self.buffer) or self.is_at_end:
                    start, self.position = self.position, end
                    return Value(value, start, end, line)
            except RecursionError:
                raise DataError(
                    f"Line {line}: {DEEP}", "Choose a list of flat objects.", code="too_deep"
                ) from None
            except JSONDecodeError as error:
                if self.is_at_end:
                    self.fail(error)
            self.decoder.take_notes()
            if len(self.buffer) - self.position > limit:
                self.fail_too_long(line, limit)
            self.read_more()

    def record(self) -> Record | BadRecord:
        value, start, end, line = self.value()
        return self.decoder.record(value, self.buffer, start, end, line)

    def fail(self, error: JSONDecodeError) -> NoReturn:
        line = self.line_here() + self.buffer.count("\n", self.position, error.pos)
        column = error.pos - self.buffer.rfind("\n", 0, error.pos)
        reason, hint = explain(error)
        if error.pos >= len(self.buffer.rstrip()):
            reason, hint = "the file ends too early", "It may be cut off: get it once more."
        raise DataError(
            f"This is not valid JSON at line {line}, column {column}: {reason}.",
            hint,
            code="not_json",
        )

    def fail_too_long(self, line: int, limit: int) -> NoReturn:
        raise DataError(
            f"The record that starts at line {line} is longer than "
            f"{limit // 2**20} million characters, or is not closed.",
            "Write a list of objects, or one object a line.",
            code="record_too_long",
        )
