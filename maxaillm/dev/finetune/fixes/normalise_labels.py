"""Write each label in one way: those that differ only by case or blanks become one."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.fixes import Fix, StoredExample, Whole, fixes
from maxaillm.dev.finetune.row_batch import labels_of
from maxaillm.dev.finetune.row_changes import with_labels


@fixes.register
class NormaliseLabels(Fix):
    """Labels that differ only by case or blanks become the spelling that most rows have."""

    label: ClassVar[str] = "Write labels in one way"
    summary: ClassVar[str] = (
        "Labels that differ only by case or blanks become their most frequent spelling."
    )
    looks_ahead: ClassVar[bool] = True

    name: Literal["normalise_labels"] = "normalise_labels"
    _rows: Counter[str] = PrivateAttr(default_factory=Counter)
    _spellings: dict[str, str] = PrivateAttr(default_factory=dict)

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        self._rows.update(tidied(label) for label in labels_of(example))

    def begin(self, whole: Whole) -> None:
        self._spellings = most_frequent(self._rows)

    def mend(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_labels(example, self.spelling)

    def spelling(self, label: str) -> str:
        return self._spellings.get(tidied(label).casefold(), label)


def tidied(label: str) -> str:
    return " ".join(label.split()) or label


def most_frequent(rows: Counter[str]) -> dict[str, str]:
    """Folded label -> the spelling of most rows; of equals the one that came first."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in rows:
        spellings[label.casefold()].append(label)
    return {folded: max(labels, key=rows.__getitem__) for folded, labels in spellings.items()}
