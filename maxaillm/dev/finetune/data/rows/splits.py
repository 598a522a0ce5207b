"""Splits: which a row belongs to, by a column `split` or by its file's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal, get_args

from maxaillm.dev.finetune.data.rows.values import Row, RowProblem, is_mostly

Split = Literal["train", "validation", "test"]

EVERY_SPLIT: tuple[Split | None, ...] = (None, *get_args(Split))
COLUMN = "split"
NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
}
WORD = re.compile(r"[^\W_]+")


def split_of(row: Row) -> Split | None:
    """The split that the row names, or None where it names none that is known."""
    value = row.get(COLUMN)
    return NAMES.get(value.strip().lower()) if isinstance(value, str) else None


def split_of_path(path: str) -> Split | None:
    """The split that a file's name says or, where it says none, the nearest folder that does.

    It is a word of its own: `data/train-00000-of-00002.parquet`, `dev/0.jsonl`. None where no
    name says one, or one says several, such as `train_test.csv`.
    """
    for part in reversed(PurePosixPath(path).parts):
        splits = {NAMES[word] for word in WORD.findall(part.lower()) if word in NAMES}
        if splits:
            return splits.pop() if len(splits) == 1 else None
    return None


class SplitColumn:
    """A file's column `split`. In a file where it mostly says something else it is no marker."""

    def __init__(self, sample: Sequence[Row]) -> None:
        self.is_marker = is_mostly(sample, lambda row: split_of(row) is not None)

    def problem(self, row: Row) -> RowProblem | None:
        """Training on a row whose split is unclear could spoil the measurement."""
        if not self.is_marker or split_of(row) is not None:
            return None
        message = f"The split {row.get(COLUMN)!r:.60} is none of train, validation, test."
        return RowProblem("unknown_split", message, "Write train, validation or test.")

    def of(self, row: Row) -> Split | None:
        return split_of(row) if self.is_marker else None
