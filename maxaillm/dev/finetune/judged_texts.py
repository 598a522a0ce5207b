"""Texts that are judged, alone or in pairs: which columns hold them, and which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from maxaillm.dev.finetune.cells import Row, RowProblem, text_columns, text_problem

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


def find_texts(sample: Sequence[Row]) -> tuple[str, str | None] | None:
    """The column of the text and, of pairs, that of the second one; None where none is known."""
    texts = text_columns(sample)
    for first, second in PAIRS:
        if first in texts and second in texts:
            return texts[first], texts[second]
    return next(((texts[name], None) for name in TEXTS if name in texts), None)


def texts_problem(row: Row, text: str, pair: str | None) -> RowProblem | None:
    return text_problem(row, text) or (text_problem(row, pair) if pair is not None else None)


def number_of(value: Any) -> float | None:
    """The number that `value` is or writes; None where it is none, or no finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def are_numbers(sample: Sequence[Row], column: str) -> bool:
    """Whether the filled cells of a column are numbers, but for a few."""
    values = [row[column] for row in sample if row.get(column) not in (None, "")]
    numbers = sum(number_of(value) is not None for value in values)
    return bool(values) and numbers >= 0.95 * len(values)


def have_decimals(sample: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers of which some have decimals: no class is 0.37."""
    numbers = [number for row in sample if (number := number_of(row.get(column))) is not None]
    return are_numbers(sample, column) and any(not number.is_integer() for number in numbers)
