"""Lines of JSON, many at once: read by orjson, but for those that Python's decoder must look at.

orjson is five times as fast, but takes a repeated key, a NUL and an integer of more than 64 bits
without a word. Here a block of lines is read by it and checked as a whole for all of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import orjson

from maxaillm.dev.finetune.data.readers.records import MAX_COLUMNS, RECORD_CHARS
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.rows.written_values import MAX_DEPTH

BLOCK_BYTES = 2**17
FLAT = {str, int, bool, type(None)}
INTEGERS_END = 2.0**63
"""A float beyond may stand for an integer that orjson has rounded."""
CONTINUATION = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no character."""
LINE_END = re.compile(rb"[\r\n]")
Block = list[bytes]


def line_blocks(source: Source, mark_bytes: int) -> Iterator[Block]:
    """The lines of a UTF-8 file without their ends, many at a time, after its byte order mark.

    Of a line that is too long only the beginning comes, itself too long.
    """
    with source.open() as file:
        file.read(mark_bytes)
        rest = b""
        while piece := file.read(max(BLOCK_BYTES, len(rest))):  # doubles: long lines stay linear
            text = rest + piece
            end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1  # "\n" may follow "\r"
            if end:
                yield text[:end].splitlines()
            rest = text[end:]
            if is_too_long(rest) and not rest.endswith(b"\r"):
                rest += from_line_end(file)
        if rest:
            yield rest.splitlines()


def is_too_long(line: bytes) -> bool:
    if len(line) < RECORD_CHARS:
        return False
    return len(line.translate(None, CONTINUATION)) >= RECORD_CHARS


def from_line_end(file: BinaryIO) -> bytes:
    """Leave out the rest of a line; what was read from its end on."""
    while piece := file.read(BLOCK_BYTES):
        if match := LINE_END.search(piece):
            return piece[match.start() :]
    return b""


def clean_rows(block: Block) -> list[dict[str, Any]] | None:
    """The rows of `block` where all its lines are objects with nothing to tell of; else None."""
    text = b"\n".join(block)
    is_nul = b"\\" in text and b"\\u0000" in text
    if is_nul or max(map(len, block)) >= RECORD_CHARS:
        return None
    try:
        rows = list(map(orjson.loads, block))
        keys = count_keys(rows)
    except (orjson.JSONDecodeError, TypeError):
        return None
    if keys is None or may_repeat_keys(text, keys) or max(map(len, rows)) > MAX_COLUMNS:
        return None
    return rows


def may_repeat_keys(text: bytes, keys: int) -> bool:
    """Whether lines with so many different keys may have written one twice.

    Each key has a colon after it, so there are no fewer colons than keys written; those within
    texts rarely follow a quotation mark, and then mostly one that has a backslash before it.
    """
    if text.count(b":") == keys:
        return False
    within = text.count(b'\\":')
    if text.count(b'":') - within != keys or (within and b'\\\\":' in text):
        return True
    return any(gap in text for gap in (b'" :', b'"  ', b'" \t', b'"\t'))


def count_keys(rows: list[dict[str, Any]]) -> int | None:
    """How many keys `rows` have; None where depth or numbers need a closer look."""
    types = set(map(type, chain.from_iterable(map(dict.values, rows))))
    if types <= FLAT:
        return sum(map(len, rows))
    total = 0
    for row in rows:
        count = keys_within(row, 1)
        if count is None:
            return None
        total += count
    return total


def keys_within(value: dict[str, Any] | list[Any], depth: int) -> int | None:
    if depth > MAX_DEPTH:
        return None
    total = len(value) if isinstance(value, dict) else 0
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            count = keys_within(item, depth + 1)
            if count is None:
                return None
            total += count
        elif isinstance(item, float) and abs(item) >= INTEGERS_END:
            return None
    return total
