"""Rare classes: those with a single row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelCounts
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class RareClass(Check):
    label: ClassVar[str] = "Classes with one row"
    why: ClassVar[str] = "One row is in training or in the test, never in both."
    advice: ClassVar[str] = "Add rows, or join it with another class."
    fix: ClassVar[str | None] = "rename_labels"
    unit: ClassVar[str] = "class"

    name: Literal["rare_class"] = "rare_class"
    _counts: LabelCounts = PrivateAttr(default_factory=LabelCounts)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._counts.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if self._counts.is_full:
            return
        for label, count in self._counts.rows.items():
            if count == 1:
                message = f"The class {shown(label, 80)!r} has one row only."
                yield Issue(self._counts.first_row[label], message)
