"""How a table is laid out: delimiter, quotation marks, header. Told from its first rows."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

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


def guess_table(head: str, suffix: str) -> Sample | None:
    """The best way to read `head` as a table, or None where it reads as running text."""
    preferred = PREFERRED.get(suffix, ",")
    samples = [
        best_quoting(head, delimiter)
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
        return with_header(best or only_column, suffix)
    if best is None or best.score < 0.98:
        return None
    is_sure = best.layout.delimiter == "\t" or names_columns(best.rows[0])
    return with_header(best, suffix) if is_sure else None


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


def best_quoting(head: str, delimiter: str) -> Sample:
    """Whether quotation marks hold cells together, or are letters like any other.

    In CSV they are letters only where many rows make no sense otherwise. TSV files mostly do
    without quoting: there they only count where all of them add up.
    """
    plain = sample_of(head, Layout(delimiter, has_quotes=False))
    quoting = sample_of(head, Layout(delimiter, has_quotes=True))
    if delimiter != "\t":
        is_senseless = quoting.rows.count([]) > max(5, len(quoting.rows) // 20)
        return plain if is_senseless and plain.score > quoting.score else quoting
    opens_cells = any(cell.startswith('"') for row in plain.rows for cell in row)
    return quoting if opens_cells and [] not in quoting.rows else plain


def sample_of(head: str, layout: Layout) -> Sample:
    rows: list[list[str]] = []
    for part in split_rows(io.StringIO(head, newline=""), layout):
        rows += part.cells if isinstance(part, Rows) else [[]]
    widths = Counter(len(row) for row in rows)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    quoted = 0 if layout.has_quotes else sum(any(map(is_quoted, row)) for row in rows)
    return Sample(layout, rows, width, (count - quoted) / max(1, len(rows)))


def is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def with_header(sample: Sample, suffix: str) -> Sample:
    has_header = bool(sample.rows) and is_header(sample.rows[0], sample.rows[1:], suffix)
    return sample._replace(layout=sample.layout._replace(has_header=has_header))


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
