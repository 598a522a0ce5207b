"""Plain text: each line that is not blank is a row."""

from __future__ import annotations

from collections.abc import Iterator

from maxaillm.dev.finetune.data.readers.cleaning import clean, is_dirty
from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.lines import is_too_long, lines, too_long
from maxaillm.dev.finetune.data.readers.records import BadRecord, Note, Record
from maxaillm.dev.finetune.data.readers.sources import Source

COLUMNS = ("text",)


def read_plain_text(source: Source, encoding: Encoding) -> Iterator[Record | BadRecord]:
    with encoding.open(source) as file:
        for line in lines(file):
            if is_too_long(line.text):
                yield too_long(line)
            elif not line.text.isspace():
                yield record_of(line.number, line.text.rstrip("\r\n"), encoding)


def record_of(number: int, text: str, encoding: Encoding) -> Record:
    notes: set[Note] = set()
    if is_dirty(text, is_broken=encoding.is_broken):
        text = clean(text, notes)
    return Record({"text": text}, number, tuple(sorted(notes)))
