"""A JSON document: a list of objects, the list within a wrapper, or a single object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, NamedTuple, NoReturn, TextIO

from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.json_records import DEEP, Decoder, explain
from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS, BadRecord, Record
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.errors import DataError

CHUNK = 2**18
WRAPPERS = ("data", "rows", "records", "examples", "items", "train", "dataset")
"""Keys under which a list is the rows of the file rather than a value of its one row."""
IS_WRAPPER = re.compile(
    r'\{\s*(?:"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\d.]+|true|false|null)\s*,\s*)*'
    rf'"(?:{"|".join(WRAPPERS)})"\s*:\s*\[\s*[{{\]]'
)
"""Such a key, with nothing before it but single values such as a version."""


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
                if (char := self.buffer[self.position]) not in " \t\n\r":
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

    def value(self) -> Value:
        """Decode the value that comes next, reading on until it is whole."""
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
            if len(self.buffer) - self.position > RECORD_CHARS:
                self.fail_too_long(line)
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

    def fail_too_long(self, line: int) -> NoReturn:
        raise DataError(
            f"The record that starts at line {line} is longer than "
            f"{RECORD_CHARS // 2**20} million characters, or is not closed.",
            "Write a list of objects, or one object a line.",
            code="record_too_long",
        )


def read_json_document(source: Source, encoding: Encoding) -> Iterator[Record | BadRecord]:
    decoder = Decoder(is_broken=encoding.is_broken)
    with encoding.open(source, newline=None) as file:
        text = JsonText(file, decoder)
        first = text.peek()
        if first == "[":
            yield from array_of(text)
        elif first == "{":
            yield from object_or_wrapper(text)
        else:
            yield text.record()
        if text.peek():
            text.fail(JSONDecodeError("Expecting the end", text.buffer, text.position))


def array_of(text: JsonText) -> Iterator[Record | BadRecord]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.record()
        if text.take(",", "]") == "]":
            return


def object_or_wrapper(text: JsonText) -> Iterator[Record | BadRecord]:
    """The rows of `{"version": 1, "data": [...]}`, else objects one below the other."""
    if IS_WRAPPER.match(text.buffer, text.position):
        yield from wrapper_rows(text)
        return
    while text.peek() == "{":
        line = text.line_here()
        yield text.record()
        if text.peek() == "{" and text.line_here() == line:
            return  # two on one line: what follows is refused as trailing text


def wrapper_rows(text: JsonText) -> Iterator[Record | BadRecord]:
    lists = 0
    text.take("{")
    while True:
        key, _, _, line = text.value()
        text.take(":")
        if key in WRAPPERS and text.peek() == "[":
            lists += 1
            if lists > 1:
                raise DataError(
                    f"The file holds a second list of rows, {key!r}, at line {line}.",
                    "Save each list as a file of its own.",
                    code="two_lists",
                )
            yield from array_of(text)
        else:
            text.value()
            text.decoder.take_notes()
        if text.take(",", "}") == "}":
            return
