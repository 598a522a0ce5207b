"""Labelled data in which every row has the same label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelTally
from maxaillm.dev.finetune.data.checks import Batch, Check, Suspicion, checks


@checks.register
class SingleClass(Check):
    label: ClassVar[str] = "One class only"
    why: ClassVar[str] = "From one class there is nothing to tell apart, so nothing is learned."
    advice: ClassVar[str] = "Add rows of other classes."

    name: Literal["single_class"] = "single_class"
    _tally: LabelTally = PrivateAttr(default_factory=LabelTally)

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        self._tally.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Suspicion]:
        if list(self._tally.rows.values()) == [self._tally.seen]:
            label = shown(next(iter(self._tally.rows)), 80)
            yield Suspicion(None, f"All rows have the label {label!r}.")
