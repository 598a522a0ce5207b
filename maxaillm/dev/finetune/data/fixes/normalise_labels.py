"""Normalise labels: those that differ only by case or blanks become one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_labels


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
    _locked: Counter[str] = PrivateAttr(default_factory=Counter)
    _spellings: dict[str, str] = PrivateAttr(default_factory=dict)

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        if is_locked:
            self._locked.update(self.kind.labels_of(example))
        else:
            self._rows.update(map(tidied, self.kind.labels_of(example)))

    def begin(self, flagged: Collection[int] = ()) -> None:
        """What can't be changed any more decides; else training and test would differ."""
        self._spellings = most_frequent(self._rows) | most_frequent(self._locked)

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_labels(self.kind, example, self.spelling)

    def spelling(self, label: str) -> str:
        return self._spellings[folded(label)]


def tidied(label: str) -> str:
    return " ".join(label.split()) or label


def folded(label: str) -> str:
    return tidied(label).casefold()


def most_frequent(rows: Counter[str]) -> dict[str, str]:
    """Folded label -> the spelling of most rows; of equals the one that came first."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in rows:
        spellings[folded(label)].append(label)
    return {name: max(labels, key=rows.__getitem__) for name, labels in spellings.items()}
