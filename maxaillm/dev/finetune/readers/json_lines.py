"""JSON Lines: one value a line; a broken line costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path

from maxaillm.dev.finetune.readers.encoding import Encoding
from maxaillm.dev.finetune.readers.json_records import DEEP, Decoder, explain
from maxaillm.dev.finetune.readers.lines import SNIPPET_CHARS, Line, lines, too_long
from maxaillm.dev.finetune.readers.records import BadRecord, Record

WHITESPACE = " \t\r\n"


def read_json_lines(path: Path, encoding: Encoding) -> Iterator[Record | BadRecord]:
    decoder = Decoder(is_broken=encoding.is_broken)
    with encoding.open(path) as file:
        for line in lines(file):
            if not line.is_whole:
                yield too_long(line)
            elif not line.text.isspace():
                yield record_of(decoder, line)


def record_of(decoder: Decoder, line: Line) -> Record | BadRecord:
    text = line.text.strip(WHITESPACE)
    try:
        value, end = decoder.raw_decode(text)
        if end < len(text):
            raise JSONDecodeError("Extra data", text, end)
    except JSONDecodeError as error:
        decoder.take_notes()
        reason, fix = explain(error)
        message = f"This is not valid JSON: {reason} at column {error.pos + 1}."
        start = max(0, error.pos - SNIPPET_CHARS // 2)
        snippet = text[start : start + SNIPPET_CHARS]
        return BadRecord(line.number, "not_json", message, snippet, fix)
    except RecursionError:
        decoder.take_notes()
        return BadRecord(line.number, "too_deep", DEEP, text[:SNIPPET_CHARS])
    return decoder.record(value, text, 0, end, line.number)
