"""Wrapped text: a text file such as a book, whose lines belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.readers import BadRecord, ReadOptions, Record, Records, open_records
from maxaillm.dev.finetune.data.reading.examples import Beside, Tell, read_examples, refused
from maxaillm.dev.finetune.data.reading.recognition import refuse_doubt
from maxaillm.dev.finetune.data.rows.splits import Split, split_of
from maxaillm.dev.finetune.data.store.store import holds_rows

WRAPPED_CHARS = 200
"""Lines of a text that was wrapped for reading are shorter than this, all of them."""
SAMPLED_LINES = 500
DOCUMENT_CHARS = 20_000
"""About so much makes one document; it ends at an empty line."""


def read_documents(
    path: str | Path,
    tell: Tell = lambda _message, _hint: None,
    options: ReadOptions | None = None,
) -> Iterator[Example]:
    """The examples of a file; of a wrapped text, documents of many lines instead of lines.

    A line alone would be learned without what it goes on from. `tell` and `options` as for
    `read_examples`.
    Raises DataError.
    """
    records = None if holds_rows(Path(path)) else open_records(path, options=options)
    sample = list(islice(records, SAMPLED_LINES)) if records and records.kind == "text" else []
    if records is None or not is_wrapped(sample):
        yield from read_examples(path, options=options, tell=tell)
        return
    refuse_doubt(records, [record.row for record in sample if isinstance(record, Record)], None)
    beside = Beside(records)
    yield from joined(lines_of(records, beside))
    beside.tell(tell)


def lines_of(records: Records, beside: Beside) -> Iterator[Record]:
    """Raises DataError for a line that can't be read."""
    for number, record in enumerate(records, start=1):
        if isinstance(record, BadRecord):
            raise refused(record, number)
        beside.see(record)
        yield record


def is_wrapped(sample: Sequence[Record | BadRecord]) -> bool:
    """Whether these are short lines with empty lines between paragraphs; a list has none."""
    lines = [record for record in sample if isinstance(record, Record)]
    if len(lines) < len(sample) or not lines:
        return False
    has_paragraphs = lines[-1].line - lines[0].line >= len(lines)
    return has_paragraphs and max(len(line.row["text"]) for line in lines) <= WRAPPED_CHARS


def joined(lines: Iterator[Record]) -> Iterator[Text]:
    """Of several files none shares a document with another."""
    text, last = "", 0
    split: Split | None = None
    for record in lines:
        is_paragraph = record.line > last + 1
        its_split = split_of(record.row)
        is_new_file = record.line <= last or its_split != split
        if text and (is_new_file or (is_paragraph and len(text) >= DOCUMENT_CHARS)):
            yield Text(text=text, split=split)
            text = ""
        separator = "\n" if is_paragraph else " "  # where a line breaks is layout, not text
        text += (separator if text else "") + record.row["text"].strip()
        last, split = record.line, its_split
    if text:
        yield Text(text=text, split=split)
