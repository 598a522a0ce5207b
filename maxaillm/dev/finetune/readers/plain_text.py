"""Plain text: each line that is not blank is a row."""

from __future__ import annotations

from collections.abc import Iterator

from maxaillm.dev.finetune.readers.encoding import Encoding
from maxaillm.dev.finetune.readers.lines import lines, too_long
from maxaillm.dev.finetune.readers.records import BadRecord, Record
from maxaillm.dev.finetune.readers.sources import Source
from maxaillm.dev.finetune.readers.tables import Cells, record_of

COLUMNS = ("text",)


def read_plain_text(source: Source, encoding: Encoding) -> Iterator[Record | BadRecord]:
    with encoding.open(source) as file:
        for line in lines(file):
            if not line.is_whole:
                yield too_long(line)
            elif not line.text.isspace():
                cells = Cells(line.number, [line.text.rstrip("\r\n")], line.text)
                yield record_of(cells, COLUMNS, is_broken=encoding.is_broken)
