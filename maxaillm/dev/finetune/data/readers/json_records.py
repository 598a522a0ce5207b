"""JSON values as records: one decoder for documents and lines."""

from __future__ import annotations

from json import JSONDecodeError, JSONDecoder
from math import isinf
from typing import Any

from maxaillm.dev.finetune.data.readers.cleaning import DIRTY_ESCAPE, clean, is_dirty
from maxaillm.dev.finetune.data.readers.lines import SNIPPET_CHARS
from maxaillm.dev.finetune.data.readers.records import MAX_COLUMNS, BadRecord, Note, Record
from maxaillm.dev.finetune.data.rows.written_values import MAX_DEPTH

REPEATED_KEY = Note("duplicate_key", "A key occurs twice in this row; the last one counts.")
NOT_A_NUMBER = Note("not_finite", "NaN and Infinity are not numbers in JSON.")
LONG_NUMBER = Note("number_too_long", "A number has more than 4,000 digits.")
DEEP = f"Lists and objects lie more than {MAX_DEPTH} deep in each other."
FORBIDDEN = {NOT_A_NUMBER, LONG_NUMBER}


class Decoder:
    """Python's own decoder, in C, with hooks for what it would pass over in silence."""

    def __init__(self, *, is_broken: bool) -> None:
        self.is_broken = is_broken
        self.notes: set[Note] = set()
        self.raw_decode = JSONDecoder(
            object_pairs_hook=self.object_of,
            parse_constant=self.constant,
            parse_int=self.whole_number,
            parse_float=self.number,
        ).raw_decode

    def object_of(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.notes.add(REPEATED_KEY)
        return found

    def constant(self, _name: str) -> None:
        self.notes.add(NOT_A_NUMBER)

    def whole_number(self, digits: str) -> int:
        if len(digits) > 4_000:  # Python refuses 4,300
            self.notes.add(LONG_NUMBER)
            return 0
        return int(digits)

    def number(self, digits: str) -> float:
        value = float(digits)
        if isinf(value):
            self.notes.add(NOT_A_NUMBER)
        return value

    def take_notes(self) -> set[Note]:
        notes, self.notes = self.notes, set()
        return notes

    def record(
        self, value: Any, source: str, start: int, end: int, line: int
    ) -> Record | BadRecord:
        """`value`, which was read from `source[start:end]`, as the record of `line`."""
        notes = self.take_notes() if self.notes else set()
        snippet_end = min(end, start + SNIPPET_CHARS)
        if refused := notes & FORBIDDEN:
            code, message = next(iter(refused))
            return BadRecord(line, code, message, source[start:snippet_end])
        brackets = source.count("[", start, end) + source.count("{", start, end)
        if brackets > MAX_DEPTH and depth_of(value) > MAX_DEPTH:
            return BadRecord(line, "too_deep", DEEP, source[start:snippet_end])
        row = value if isinstance(value, dict) else row_of(value)
        if row is None:
            message = "This is no object with columns and values."
            snippet = source[start:snippet_end]
            return BadRecord(line, "not_an_object", message, snippet, 'Write {"column": "value"}.')
        if len(row) > MAX_COLUMNS:
            return too_wide(row, line, source[start:snippet_end])
        if self.is_dirty(source, start, end):
            row = clean(row, notes)
        return Record(row, line, tuple(sorted(notes)) if notes else ())

    def record_of(self, row: dict[str, Any], line: int) -> Record | BadRecord:
        """A row of a table that was read as a whole, as record `line`."""
        if depth_of(row) > MAX_DEPTH:
            return BadRecord(line, "too_deep", DEEP, str(row)[:SNIPPET_CHARS])
        if len(row) > MAX_COLUMNS:
            return too_wide(row, line, str(row)[:SNIPPET_CHARS])
        notes: set[Note] = set()
        return Record(clean(row, notes), line, tuple(sorted(notes)))

    def is_dirty(self, source: str, start: int, end: int) -> bool:
        if source.find("\\u", start, end) >= 0 and DIRTY_ESCAPE.search(source, start, end):
            return True
        return self.is_broken and is_dirty(source[start:end], is_broken=True)


def too_wide(row: dict[str, Any], line: int, snippet: str) -> BadRecord:
    message = f"This row has {len(row):,} columns; {MAX_COLUMNS:,} are allowed."
    return BadRecord(line, "too_many_columns", message, snippet)


def row_of(value: Any) -> dict[str, Any] | None:
    """A row for a bare text, a bare list of messages, a text with what is said of it (spaCy's
    training data), or a list of cells, as some files hold them."""
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(item, dict) for item in value):
        return {"messages": value}
    if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict):
        return {"text": value[0], **value[1]}
    if len(value) > 1 and not any(isinstance(item, dict) for item in value):
        return {f"column_{place}": item for place, item in enumerate(value, start=1)}
    return None


def depth_of(value: Any) -> int:
    """How deep containers lie in each other, level by level: it can't overflow the stack."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            break
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def explain(error: JSONDecodeError) -> tuple[str, str]:
    """What is wrong, and what may help, in words."""
    message = error.msg[0].lower() + error.msg[1:]
    if message.startswith("unterminated string"):
        return "it ends inside a text", "The file may be cut off, or a quotation mark is missing."
    if message.startswith("extra data"):
        return "a second value follows on the same line", "Write one object a line."
    if "\\escape" in message:
        fix = "Write each backslash twice: C:\\\\Users. A single one may also have become a line "
        return "a backslash begins no known escape", fix + "end (\\n) or a tab (\\t) elsewhere."
    message = message.removesuffix(" at")
    if error.doc[max(0, error.pos - 1) : error.pos + 1].find("'") >= 0:
        return message, "Write keys and texts in double quotation marks."
    return message, ""
