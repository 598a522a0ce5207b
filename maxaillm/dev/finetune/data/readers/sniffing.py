"""What kind of data file this is: by its content first, by its name second."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.data.readers.columnar import columnar_kind, columnar_records
from maxaillm.dev.finetune.data.readers.encoding import Encoding, encoding_of
from maxaillm.dev.finetune.data.readers.json_document import IS_WRAPPER, read_json_document
from maxaillm.dev.finetune.data.readers.json_lines import read_json_lines
from maxaillm.dev.finetune.data.readers.layout import Sample, guess_table
from maxaillm.dev.finetune.data.readers.plain_text import COLUMNS, read_plain_text
from maxaillm.dev.finetune.data.readers.records import Records
from maxaillm.dev.finetune.data.readers.several_files import records_of_several
from maxaillm.dev.finetune.data.readers.sources import Source, sources_of
from maxaillm.dev.finetune.data.readers.spreadsheets import holds_workbook, workbook_records
from maxaillm.dev.finetune.data.readers.tables import column_names, read_table
from maxaillm.dev.finetune.errors import DataError

HEAD_CHARS = 2**18
BLANKS = " \t\r\n"
LINES_SUFFIXES = {".jsonl", ".ndjson"}
OPENS_JSON = re.compile(r'\[\s*[\[{"]|\{\s*"')
BRACE_ALONE = re.compile(r"\{[ \t]*[\r\n]")


def sniff(path: Path, name: str) -> Records:
    sources = sources_of(path, name)
    return records_of_several(sources, records_of) if sources[1:] else records_of(sources[0])


def records_of(source: Source) -> Records:
    head = source.head()
    if columnar := columnar_kind(head):
        records = columnar_records(source, *columnar)
    elif holds_workbook(source, head):
        records = workbook_records(source)
    else:
        records = text_records(source)
    notes = (*source.notes, *records.notes)
    packing = source.packing.words if source.packing is not None else None
    progress = records.progress or source.progress
    return replace(records, packing=packing, progress=progress, notes=notes)


def text_records(source: Source) -> Records:
    encoding = encoding_of(source)
    with encoding.open(source) as file:
        head = file.read(HEAD_CHARS)
    is_whole = len(head) < HEAD_CHARS
    suffix = source.suffix
    if suffix == ".json" or suffix in LINES_SUFFIXES or is_json(head.lstrip(BLANKS)):
        return json_records(source, encoding, head.lstrip(BLANKS), suffix, is_whole=is_whole)
    sample = guess_table(head if is_whole else whole_lines(head), suffix)
    if sample is None or not sample.rows:
        read = partial(read_plain_text, source, encoding)
        return Records("text", encoding.words, read, columns=COLUMNS)
    return table_records(source, encoding, sample)


def whole_lines(head: str) -> str:
    end = max(head.rfind("\n"), head.rfind("\r")) + 1
    return head[:end] if end else head


def is_json(text: str) -> bool:
    if not OPENS_JSON.match(text):
        return False
    first = first_line(text)
    return BRACE_ALONE.match(text) is not None or text[0] == "[" or parsed(first) is not None


def first_line(text: str) -> str:
    return re.split(r"[\r\n]", text, maxsplit=1)[0].strip(BLANKS)


def parsed(text: str) -> Any:
    """The value that is all of `text`, or None."""
    try:
        value, end = JSONDecoder(parse_int=float).raw_decode(text)
    except (JSONDecodeError, RecursionError):
        return None
    return value if end == len(text) else None


def json_records(
    source: Source, encoding: Encoding, text: str, suffix: str, *, is_whole: bool
) -> Records:
    if holds_lines(text, suffix, is_whole=is_whole):
        return Records("jsonl", encoding.words, partial(read_json_lines, source, encoding))
    return Records("json", encoding.words, partial(read_json_document, source, encoding))


def holds_lines(text: str, suffix: str, *, is_whole: bool) -> bool:
    """Whether `text` is one value a line; a value over several lines is a document."""
    first = first_line(text)
    second = text[len(first) :].lstrip(BLANKS)
    is_one_line = is_whole and not second
    if IS_WRAPPER.match(text) and (is_one_line or parsed(first) is None):
        return False
    if text.startswith("["):
        return parsed(first) is not None and second.startswith("[")
    if parsed(first) is not None:
        return text.startswith("{") or suffix in LINES_SUFFIXES
    return suffix in LINES_SUFFIXES and not BRACE_ALONE.match(text)


def table_records(source: Source, encoding: Encoding, sample: Sample) -> Records:
    layout = sample.layout
    header = sample.rows[0] if layout.has_header else [""] * sample.width
    if not header:
        raise DataError(
            "The header can't be read: a quotation mark in it is not closed, or text follows the "
            "closing one.",
            "Correct the first line of the file.",
            code="broken_header",
        )
    columns, notes = column_names(header)
    return Records(
        "tsv" if layout.delimiter == "\t" else "csv",
        encoding.words,
        partial(read_table, source, encoding, layout, columns),
        delimiter=layout.delimiter,
        columns=columns,
        notes=notes,
    )
