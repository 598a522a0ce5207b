"""Which part of a data set a row belongs to, where the file has a column `split`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from maxaillm.dev.finetune.cells import Row, RowProblem, is_mostly

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


def split_of(row: Row) -> Split | None:
    """The split that the row names, or None where it names none that is known."""
    value = row.get(COLUMN)
    return NAMES.get(value.strip().lower()) if isinstance(value, str) else None


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
