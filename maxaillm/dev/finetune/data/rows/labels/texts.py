"""Labelled texts, alone or in pairs: which columns hold them, which labels and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    cell_of,
    text_columns,
    text_problem,
)

TEXTS = (
    "text", "sentence", "content", "message", "review", "comment", "utterance", "tweet",
    "comment_text",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("question", "sentence"),
    ("text", "pair"),
)
"""As GLUE and the sets after it call them; the last is how they are stored here."""
LABEL_CHARS = 80
"""Longer values are answers, not labels."""
MAX_NUMBER = 1e38
"""Larger ones are infinite in the 32 bits that training reckons with."""
FLAGS = {"true": True, "1": True, "false": False, "0": False}
WHOLE = re.compile(r"[-+]?\d+\.0+")
DECIMAL_COMMA = re.compile(r"\s*[-+]?(?![1-9]\d{0,2},\d{3}\s*$)\d+,\d+\s*")
"""As in 3,5; but 1,234 may be more than a thousand, and is not guessed at."""


def find_texts(sample: Sequence[Row]) -> tuple[str, str | None] | None:
    """The column of the text and, of pairs, that of the second one; None where none is known."""
    texts = text_columns(sample)
    for first, second in PAIRS:
        if first in texts and second in texts:
            return texts[first], texts[second]
    return next(((texts[name], None) for name in TEXTS if name in texts), None)


def texts_problem(row: Row, text: str, pair: str | None) -> RowProblem | None:
    return text_problem(row, text) or (text_problem(row, pair) if pair is not None else None)


def texts_in(row: Row, text: str, pair: str | None) -> dict[str, Any]:
    """The texts of a row that `texts_problem` found nothing wrong with, as they are stored."""
    texts = {"text": cell_of(row, text)}
    return texts if pair is None else texts | {"pair": cell_of(row, pair)}


def number_of(value: Any) -> float | None:
    """The number that `value` is or writes; None where it is none, or too large."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and DECIMAL_COMMA.fullmatch(value):
        value = value.replace(",", ".")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < MAX_NUMBER else None


def are_numbers(sample: Sequence[Row], column: str) -> bool:
    """Whether the filled cells of a column are numbers, but for a few."""
    values = [row[column] for row in sample if row.get(column) not in (None, "")]
    numbers = sum(number_of(value) is not None for value in values)
    return bool(values) and numbers >= 0.95 * len(values)


def have_decimals(sample: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers of which some have decimals: no class is 0.37."""
    numbers = [number for row in sample if (number := number_of(row.get(column))) is not None]
    return are_numbers(sample, column) and any(not number.is_integer() for number in numbers)


def label_of(value: Any) -> str | None:
    """A label as text: 2, 2.0 and "2.0" are one class; None where `value` is no label.

    A column of whole numbers with gaps turns into 1.0, 2.0 in most tools that write tables.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        label = value.strip()
        return label.partition(".")[0] if WHOLE.fullmatch(label) else label
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return None


def are_labels(sample: Sequence[Row], column: str) -> bool:
    """Whether the column holds few short values rather than answers.

    A `target` may be either; the other names say that it holds classes.
    """
    labels = [label for row in sample if (label := label_of(row.get(column)))]
    if have_decimals(sample, column) or not labels:
        return False
    if sum(len(label) <= LABEL_CHARS for label in labels) < 0.95 * len(labels):
        return False
    classes = {label.casefold() for label in labels}
    return column.strip().lower() != "target" or len(classes) <= max(2, len(labels) // 2)


def flag_of(value: Any) -> bool | None:
    """Whether `value` says yes or no; None where it says neither."""
    if isinstance(value, bool | int | str):
        return FLAGS.get(str(value).strip().lower())
    return None
