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
from maxaillm.dev.finetune.data.readers.headers import (
    column_names,
    joined_header,
    rows_above,
    with_index_named,
)
from maxaillm.dev.finetune.data.readers.json_document import read_json_document
from maxaillm.dev.finetune.data.readers.json_lines import read_json_lines
from maxaillm.dev.finetune.data.readers.json_shapes import RECORDS, WITHIN, shape_of
from maxaillm.dev.finetune.data.readers.layout import Sample, table_of
from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions
from maxaillm.dev.finetune.data.readers.plain_text import COLUMNS, read_plain_text
from maxaillm.dev.finetune.data.readers.records import Aside, Records
from maxaillm.dev.finetune.data.readers.several_files import records_of_several
from maxaillm.dev.finetune.data.readers.sources import Source, sources_of
from maxaillm.dev.finetune.data.readers.spreadsheets import holds_workbook, workbook_records
from maxaillm.dev.finetune.data.readers.tables import TableReader
from maxaillm.dev.finetune.data.readers.tagged_words import tagged_fields, tagged_records
from maxaillm.dev.finetune.data.rows.splits import NAMES as SPLITS
from maxaillm.dev.finetune.errors import DataError

HEAD_CHARS = 2**18
BLANKS = " \t\r\n\ufeff"
YAML_SUFFIXES = {".yml", ".yaml"}
LINES_SUFFIXES = {".jsonl", ".ndjson"}
OPENS_JSON = re.compile(r'\[\s*[\[{"]|\{\s*"')
IS_WRAPPER = re.compile(
    r'\{\s*(?:"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\d.]+|true|false|null)\s*,\s*)*'
    rf'"(?:{"|".join((*WITHIN, *SPLITS))})"\s*:\s*(?:\[\s*[\[{{\]]|\{{\s*")'
)
"""A document by its first characters, which may be all on one long line."""
BRACE_ALONE = re.compile(r"\{[ \t]*[\r\n]")


def sniff(path: Path, name: str, options: ReadOptions, most_bytes: int | None) -> Records:
    sources = sources_of(path, name, most_bytes)
    opened = partial(records_of, options=options)
    return records_of_several(sources, opened) if sources[1:] else opened(sources[0])


def records_of(source: Source, options: ReadOptions = NOTHING_SAID) -> Records:
    head = source.head()
    if columnar := columnar_kind(head):
        records = columnar_records(source, *columnar)
    elif holds_workbook(source, head):
        records = workbook_records(source, options)
    else:
        records = text_records(source, options)
    notes = (*source.notes, *records.notes)
    packing = source.packing.words if source.packing is not None else None
    progress = records.progress or source.progress
    return replace(records, packing=packing, progress=progress, notes=notes)


def text_records(source: Source, options: ReadOptions) -> Records:
    encoding = encoding_of(source, options.encoding)
    with encoding.open(source) as file:
        head = file.read(HEAD_CHARS)
    records = records_of_text(source, encoding, head, options)
    said = {"encoding": encoding.option, "delimiter": records.delimiter, **options.given}
    layout = records.options.given
    return replace(records, options=ReadOptions(**(layout | said)), doubt=encoding.doubt)


def records_of_text(source: Source, encoding: Encoding, head: str, options: ReadOptions) -> Records:
    is_whole = len(head) < HEAD_CHARS
    suffix, is_table = source.suffix, options.delimiter is not None
    text = head.lstrip(BLANKS)
    if not is_table and (suffix == ".json" or suffix in LINES_SUFFIXES or is_json(text)):
        return json_records(source, encoding, text, suffix, is_whole=is_whole)
    if suffix in YAML_SUFFIXES:
        raise DataError(
            "The file is YAML, such as Rasa's training data, which no reader takes apart.",
            "Write it as JSON; of examples with an intent each, a table with text and label.",
            code="unsupported_file",
        )
    lines = head if is_whole else whole_lines(head)
    if not is_table and (fields := tagged_fields(lines, suffix)):
        return tagged_records(source, encoding, fields)
    sample = table_of(lines, suffix, options)
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
    is_lines = holds_lines(text, suffix, is_whole=is_whole)
    shape = RECORDS
    is_one = is_whole and isinstance(parsed(text.rstrip(BLANKS)), dict)
    if not is_lines or (is_one and (suffix not in LINES_SUFFIXES or IS_WRAPPER.match(text))):
        shape = shape_of(source, encoding)
    if is_lines and shape == RECORDS:
        return Records("jsonl", encoding.words, partial(read_json_lines, source, encoding))
    aside = Aside()
    read = partial(read_json_document, source, encoding, shape, aside)
    return Records("json", encoding.words, read, aside=aside)


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
    count = layout.header_rows
    header = joined_header(sample.rows[:count]) if count else [""] * sample.width
    if not header:
        raise DataError(
            "The header can't be read: a quotation mark in it is not closed, or text follows the "
            "closing one.",
            "Correct the first line of the file.",
            code="broken_header",
        )
    if count:
        header = with_index_named(header, [row[0] for row in sample.rows[count:] if row])
    columns, notes = column_names(header)
    table = TableReader(source, encoding, layout, columns)
    if layout.skip_rows:
        notes = (*notes, rows_above(layout.skip_rows))
    return Records(
        "tsv" if layout.delimiter == "\t" else "csv",
        encoding.words,
        table.read,
        delimiter=layout.delimiter,
        columns=columns,
        notes=notes,
        aside=table.aside,
        options=ReadOptions(header_rows=count, skip_rows=layout.skip_rows),
    )
