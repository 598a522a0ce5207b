"""JSON Lines: one value a line; a broken line costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from json import JSONDecodeError

from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.json_blocks import Block, clean_rows, line_blocks
from maxaillm.dev.finetune.data.readers.json_records import DEEP, Decoder, explain
from maxaillm.dev.finetune.data.readers.lines import (
    SNIPPET_CHARS,
    Line,
    is_too_long,
    lines,
    too_long,
)
from maxaillm.dev.finetune.data.readers.records import BadRecord, Record, new_record
from maxaillm.dev.finetune.data.readers.sources import Source

WHITESPACE = " \t\r\n\ufeff"
BOM_BYTES = {"utf-8": 0, "utf-8-sig": 3}


def read_json_lines(source: Source, encoding: Encoding) -> Iterator[Record | BadRecord]:
    decoder = Decoder(is_broken=encoding.is_broken)
    if encoding.codec in BOM_BYTES and not encoding.is_broken:
        yield from read_blocks(source, BOM_BYTES[encoding.codec], decoder)
        return
    with encoding.open(source) as file:
        for line in lines(file):
            if is_too_long(line.text):
                yield too_long(line)
            elif not line.text.isspace():
                yield record_of(decoder, line)


def read_blocks(source: Source, mark_bytes: int, decoder: Decoder) -> Iterator[Record | BadRecord]:
    number = 1
    for block in line_blocks(source, mark_bytes):
        rows = clean_rows(block)
        if rows is not None:
            yield from map(new_record, zip(rows, count(number), repeat(())))
        else:
            yield from read_one_by_one(block, number, decoder)
        number += len(block)


def read_one_by_one(block: Block, number: int, decoder: Decoder) -> Iterator[Record | BadRecord]:
    """A block with a line that only the slower decoder can tell of."""
    for at, line in enumerate(block, start=number):
        if rows := clean_rows([line]):
            yield Record(rows[0], at)
            continue
        text = line.decode(errors="replace")  # only one that is cut off may not fit
        if is_too_long(text):
            yield too_long(Line(at, text))
        elif text and not text.isspace():
            yield record_of(decoder, Line(at, text))


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
