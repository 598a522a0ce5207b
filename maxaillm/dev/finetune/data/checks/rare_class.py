"""Classes with a single row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelTally
from maxaillm.dev.finetune.data.checks import Batch, Check, Suspicion, checks


@checks.register
class RareClass(Check):
    label: ClassVar[str] = "Classes with one row"
    why: ClassVar[str] = "One row is in training or in the test, never in both."
    advice: ClassVar[str] = "Add rows, or join it with another class."
    fix: ClassVar[str | None] = "rename_labels"

    name: Literal["rare_class"] = "rare_class"
    _tally: LabelTally = PrivateAttr(default_factory=LabelTally)

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        self._tally.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Suspicion]:
        if self._tally.is_full:
            return
        for label, count in self._tally.rows.items():
            if count == 1:
                message = f"The class {shown(label, 80)!r} has one row only."
                yield Suspicion(self._tally.first_row[label], message)
