"""Amplification: how much more text the rows of one record hold than the record itself.

Formats that make several rows of a record repeat what these have in common: a paragraph before
each question about it, a conversation's beginning in each of its branches. In a real file that is
a few times the text; a small file made for it fills any disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from maxaillm.dev.finetune.data.rows.values import Row, RowProblem

TIMES, ROOM = 100, 4 * 2**20
"""Characters that the rows of a record may hold: so many times its own, and always so many."""


class Unfolded:
    """The rows of a record one by one, until they hold too much: then `problem` says so."""

    def __init__(self, record: Row, rows: Iterable[Row]) -> None:
        self.record, self.rows = record, rows
        self.count = self.made = self.room = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            if self.count == 2:  # most records are one row, and need no counting
                self.room = max(ROOM, TIMES * chars_in(self.record))
            yield row
            if self.problem:
                return

    def took(self, made: Any) -> None:
        """`made`: the example of the row that came last, or the row itself, which was refused."""
        if self.count > 1:
            self.made += chars_in(made)

    @property
    def problem(self) -> RowProblem | None:
        """Why no more rows are made of the record."""
        if self.made <= self.room:
            return None
        return RowProblem(
            "too_many_rows",
            f"This record repeats the same text again and again: its first {self.count:,} rows "
            f"hold {self.made:,} characters, more than {TIMES} times its own. The rest is left "
            "out.",
            "Split it, or give each row only the part of the text that it is about.",
        )


def chars_in(value: Any) -> int:
    """The characters of all texts in nested objects and lists, whose depth is no matter."""
    waiting, found = [value], 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found += len(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, Iterable) and not isinstance(item, bytes):
            waiting.extend(item)
    return found
