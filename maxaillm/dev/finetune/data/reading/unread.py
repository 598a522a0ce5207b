"""Unread columns and keys: what rows of a file hold that their format does not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from maxaillm.dev.finetune.data.analysis.findings import Finding, shown
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat
from maxaillm.dev.finetune.data.rows.splits import COLUMN, SplitColumn
from maxaillm.dev.finetune.data.rows.unread import holds
from maxaillm.dev.finetune.data.rows.values import Row

COUNTED = 200
"""So many names are told apart; the rest are counted together."""
NAME_CHARS = 80
CODE = "not_read"
VERDICTS = frozenset(
    """
    label labels verdict correct is_correct accepted rating score grade reward quality feedback good
    is_good thumbs thumbs_up desirable
    """.split()  # noqa: SIM905
)
FIX = (
    "Nothing is learned from it. If it matters, choose other columns or another format, or put it "
    "into a text."
)
VERDICT = (
    "It may be a verdict: then bad answers are learned like good ones. To learn from it, read the "
    "rows as Unpaired preferences."
)


class Place(NamedTuple):
    """A column, or a key of the objects in it."""

    column: str
    key: str = ""

    @property
    def in_words(self) -> str:
        column = f"“{shown(self.column, NAME_CHARS)}”"
        key = f"“{shown(self.key, NAME_CHARS)}”"
        return f"the key {key} in {column}" if self.key else f"the column {column}"


class UnreadKeys:
    """The running count over all records of a file."""

    def __init__(self, data_format: DataFormat, split_column: SplitColumn) -> None:
        self.learns_answers = data_format.gives is Conversation
        reads = data_format.reads()
        self.columns = frozenset({*reads, *([COLUMN] if split_column.is_marker else [])})
        self.nested = [(name, inner) for name, inner in reads.items() if inner is not None]
        self.records = 0
        self.rows: Counter[Place] = Counter()
        self.firsts: dict[Place, object] = {}
        self.uncounted = 0

    def see(self, row: Row) -> None:
        self.records += 1
        if not row.keys() <= self.columns:
            for name in row.keys() - self.columns:
                if holds(row[name]):
                    self.count(Place(name), row[name])
        for name, inner in self.nested:
            for key in {*inner(row.get(name))}:
                self.count(Place(name, key), row[name])

    def count(self, place: Place, value: object) -> None:
        if place not in self.rows and len(self.rows) == COUNTED:
            self.uncounted += 1
            return
        self.rows[place] += 1
        self.firsts.setdefault(place, value)

    def findings(self) -> Iterator[Finding]:
        """One for each, those that most rows have first."""
        for place, rows in self.ordered():
            share = 100 * rows / self.records
            message = f"T{place.in_words[1:]} is not read: {rows:,} of {self.records:,} records "
            message += f"({share:.3g} %) hold something there."
            yield finding(message, shown(self.firsts[place]), self.fix_of(place))
        if self.uncounted:
            yield finding(f"{self.uncounted:,} more values under other names are not read.")

    def names(self) -> list[str]:
        """What is not read, in words, those that most rows have first."""
        return [place.in_words for place, _ in self.ordered()]

    def ordered(self) -> list[tuple[Place, int]]:
        return sorted(self.rows.items(), key=lambda item: (-item[1], item[0]))

    def fix_of(self, place: Place) -> str:
        is_verdict = not place.key and place.column.strip().lower() in VERDICTS
        return VERDICT if is_verdict and self.learns_answers else FIX


def finding(message: str, snippet: str = "", fix: str = FIX) -> Finding:
    return Finding(
        row=None,
        line=None,
        code=CODE,
        message=message,
        snippet=snippet,
        fix=fix,
        level="warning",
    )
