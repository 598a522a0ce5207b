"""A single class: labelled data in which every row has the same label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelCounts
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class SingleClass(Check):
    label: ClassVar[str] = "One class only"
    why: ClassVar[str] = "From one class there is nothing to tell apart, so nothing is learned."
    advice: ClassVar[str] = "Add rows of other classes."

    name: Literal["single_class"] = "single_class"
    _counts: LabelCounts = PrivateAttr(default_factory=LabelCounts)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._counts.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if list(self._counts.rows.values()) == [self._counts.seen]:
            label = shown(next(iter(self._counts.rows)), 80)
            yield Issue(None, f"All rows have the label {label!r}.")
