"""How a table is laid out: delimiter, quotation marks, header. Told from its first rows."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, zip_longest
from typing import NamedTuple

from maxaillm.dev.finetune.data.readers.options import NOTHING_SAID, ReadOptions
from maxaillm.dev.finetune.data.readers.tables import Layout, Rows, split_rows

DELIMITERS = (",", ";", "\t", "|")
PREFERRED = {".tsv": "\t", ".tab": "\t"}
TABLE_SUFFIXES = {".csv", ".tsv", ".tab"}
KNOWN_NAMES = set(
    """
    text label target category class intent sentiment instruction input output response prompt
    completion question answer query context system messages conversations conversation content
    summary article document source chosen rejected id title tokens premise hypothesis
    """.split()  # noqa: SIM905
)
SAID_DELIMITER = re.compile(r"\"?sep=([^\w\s\"']|\t)\"?\r?\n", re.IGNORECASE)
"""The line by which Excel is told how the rest is written."""
LOOKED_AT_ROWS = 30
"""No more rows stand above a table."""
NUMBER = re.compile(r"\s*[-+]?\d+([.,]\d+)*\s*%?\s*")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*%?\s*")
SENTENCE = re.compile(r"\S+\s+\S+.*[.?!]\s*", re.DOTALL)


class Sample(NamedTuple):
    """The first rows of a file as one layout reads them."""

    layout: Layout
    rows: list[list[str]]
    width: int
    score: float
    """The share of rows as wide as most, less that of cells whose quotes it leaves standing."""
    lines: list[int]
    """The line that each row begins on, from 1."""


def table_of(head: str, suffix: str, options: ReadOptions = NOTHING_SAID) -> Sample | None:
    """The best way to read `head` as a table, or None where it reads as running text.

    What the owner said of it counts more than what it looks like.
    """
    if said := SAID_DELIMITER.match(head):
        written = {"delimiter": said[1], "skip_rows": 1}
        options = options.model_copy(update={**written, **options.given})
    skip_rows = options.skip_rows or 0
    if options.delimiter is not None:
        sample = best_quoting(head, options.delimiter, skip_rows)
        return with_header(sample, suffix or ".csv", options) if sample.rows else None
    is_said = options.header_rows is not None or options.skip_rows is not None
    if is_said and suffix not in TABLE_SUFFIXES:
        suffix = ".csv"
    return guess_table(head, suffix, options)


def guess_table(head: str, suffix: str, options: ReadOptions) -> Sample | None:
    preferred = PREFERRED.get(suffix, ",")
    samples = [
        best_quoting(head, delimiter, options.skip_rows or 0)
        for delimiter in DELIMITERS
        if delimiter in head or delimiter == preferred
    ]
    best = max(
        (sample for sample in without_decimals(samples) if sample.width > 1 and sample.score > 0.5),
        key=lambda sample: (
            round(sample.score, 3),
            sample.layout.delimiter == preferred,
            sample.width,
        ),
        default=None,
    )
    if suffix in TABLE_SUFFIXES:
        only_column = next(sample for sample in samples if sample.layout.delimiter == preferred)
        return with_header(best or only_column, suffix, options)
    if best is None or best.score < 0.98:
        return None
    is_sure = best.layout.delimiter == "\t" or names_columns(best.rows[0])
    return with_header(best, suffix, options) if is_sure else None


def without_decimals(samples: list[Sample]) -> list[Sample]:
    """`samples` but for that of the comma, where another has commas within numbers only."""
    comma = next((one for one in samples if one.layout.delimiter == ","), None)
    if comma is None or not any(
        sample.width > 1 and sample.score >= comma.score and has_decimal_commas(sample.rows)
        for sample in samples
    ):
        return samples
    return [sample for sample in samples if sample is not comma]


def has_decimal_commas(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row if "," in cell]
    return bool(cells) and all(map(DECIMAL_COMMA.fullmatch, cells))


def best_quoting(head: str, delimiter: str, skip_rows: int = 0) -> Sample:
    """Whether quotation marks hold cells together, or are letters like any other.

    In CSV they are letters only where many rows make no sense otherwise. TSV files mostly do
    without quoting: there they only count where all of them add up.
    """
    layout = Layout(delimiter, has_quotes=True, skip_rows=skip_rows)
    plain = sample_of(head, layout._replace(has_quotes=False))
    quoting = sample_of(head, layout)
    if '\\"' in head:
        escaping = sample_of(head, layout._replace(has_escapes=True))
        quoting = max(quoting, escaping, key=lambda sample: (sample.score, -sample.rows.count([])))
    if delimiter != "\t":
        is_senseless = quoting.rows.count([]) > max(5, len(quoting.rows) // 20)
        return plain if is_senseless and plain.score > quoting.score else quoting
    opens_cells = any(cell.startswith('"') for row in plain.rows for cell in row)
    return quoting if opens_cells and [] not in quoting.rows else plain


def sample_of(head: str, layout: Layout) -> Sample:
    rows: list[list[str]] = []
    lines: list[int] = []
    for part in split_rows(io.StringIO(head, newline=""), layout):
        if isinstance(part, Rows):
            rows += part.cells
            lines += [part.number + at for at in part.starts]
        else:
            rows.append([])
            lines.append(part.line)
    widths = Counter(len(row) for row in rows)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    quoted = 0 if layout.has_quotes else sum(any(map(is_quoted, row)) for row in rows)
    return Sample(layout, rows, width, (count - quoted) / max(1, len(rows)), lines)


def is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def with_header(sample: Sample, suffix: str, options: ReadOptions) -> Sample:
    """`sample` from the first row of its table on, and how many of its rows name the columns."""
    top = 0 if options.skip_rows is not None else top_row(sample)
    if options.header_rows:  # the row that was found is the last of them
        top = max(0, top - options.header_rows + 1)
    rows, layout = sample.rows[top:], sample.layout
    if top:
        layout = layout._replace(skip_rows=sample.lines[top] - 1)
    count = options.header_rows
    if count is None:
        count = int(bool(rows) and is_header(rows[0], rows[1:], suffix))
    layout = layout._replace(header_rows=min(count, len(rows)))
    return sample._replace(layout=layout, rows=rows, lines=sample.lines[top:])


def top_row(sample: Sample) -> int:
    """Where the table begins: titles and remarks above its header fill fewer cells."""
    rows, width = sample.rows[:LOOKED_AT_ROWS], sample.width
    named = named_row(rows, width)
    if named is not None:
        return named
    filled = [count_filled(row) for row in rows]
    most_above = list(accumulate(filled, max, initial=0))
    for at, row in enumerate(rows):
        if len(row) == width and 2 * filled[at] >= width > 2:
            return at if most_above[at] <= max(1, width // 3) else 0
    return 0


def named_row(rows: Sequence[Sequence[str]], width: int) -> int | None:
    """The first row that names all columns, where none above it fills so many cells."""
    for at, row in enumerate(rows[:LOOKED_AT_ROWS]):
        filled = count_filled(row)
        if filled == len(row) == width and names_columns(row):
            return at
        if filled >= width:
            return None
    return None


def count_filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def names_columns(row: Sequence[str]) -> bool:
    return any(cell.strip().lower() in KNOWN_NAMES for cell in row)


def is_header(first: Sequence[str], others: Sequence[Sequence[str]], suffix: str) -> bool:
    """Whether the first row names the columns rather than being data itself."""
    if names_columns(first):
        return True
    filled = [cell for cell in first if cell.strip()]
    if any(NUMBER.fullmatch(cell) or SENTENCE.fullmatch(cell) for cell in filled):
        return False
    columns = list(zip_longest(*others, fillvalue=""))[: len(first)]
    if any(map(is_name_of_numbers, first, columns)):
        return True
    if any(cell.strip() and col.count(cell) > 1 for cell, col in zip(first, columns, strict=False)):
        return False  # a value that comes again and again, such as a label
    return suffix in TABLE_SUFFIXES


def is_name_of_numbers(cell: str, column: Sequence[str]) -> bool:
    values = [value for value in column if value.strip()]
    return bool(cell.strip() and values) and all(map(NUMBER.fullmatch, values))
