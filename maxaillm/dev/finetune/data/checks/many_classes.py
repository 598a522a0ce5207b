"""Too many classes: the label is hardly the right column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.label_counts import MAX_CLASSES, LabelCounts
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.targets import TagsColumn


@checks.register
class ManyClasses(Check):
    label: ClassVar[str] = "Too many classes"
    why: ClassVar[str] = "A class is learned from its rows: with a row or two each, none is."
    advice: ClassVar[str] = "Look whether the label is the right column."

    name: Literal["many_classes"] = "many_classes"
    min_rows: int = Field(100, ge=1, title="Fewest rows to judge by")
    most_classes: float = Field(0.8, gt=0, le=1, title="Most classes for each row")
    _counts: LabelCounts = PrivateAttr(default_factory=LabelCounts)

    def see(self, batch: Batch) -> Iterator[Issue]:
        if not batch.kind.columns_of(TagsColumn):
            self._counts.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        rows, classes = self._counts.seen, len(self._counts.rows)
        if self._counts.is_full:
            yield Issue(None, f"There are more than {MAX_CLASSES:,} classes.")
        elif rows >= self.min_rows and classes > self.most_classes * rows:
            yield Issue(None, f"There are {classes:,} classes in {rows:,} rows.")
