"""Class imbalance: labelled data in which one class has nearly all rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelCounts
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.targets import ScoreColumn
from maxaillm.dev.finetune.data.examples import Example


@checks.register
class ClassImbalance(Check):
    """Only where a row has one class: of the tags of words, or topics, one is often rare."""

    label: ClassVar[str] = "Unequal classes"
    why: ClassVar[str] = "A model that always says the frequent class is mostly right, and useless."
    advice: ClassVar[str] = "Balance the classes, or give them weights in the loss."
    fix: ClassVar[str | None] = "balance"

    name: Literal["class_imbalance"] = "class_imbalance"
    min_rows: int = Field(50, ge=1, title="Fewest rows to judge by")
    max_share: float = Field(0.8, gt=0, le=1, title="Largest share of one class")
    max_ratio: float = Field(10, gt=1, title="Most rows for one of the rarest class")
    _counts: LabelCounts = PrivateAttr(default_factory=LabelCounts)

    def see(self, batch: Batch) -> Iterator[Issue]:
        if has_one_class(batch.kind):
            self._counts.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        rows = self._counts.rows
        if len(rows) < 2 or self._counts.is_full or self._counts.seen < self.min_rows:
            return
        most, least = max(rows, key=rows.__getitem__), min(rows, key=rows.__getitem__)
        share, ratio = rows[most] / self._counts.seen, rows[most] / rows[least]
        if share >= self.max_share or (rows[least] > 1 and ratio >= self.max_ratio):
            often, seldom = shown(most, 60), shown(least, 60)
            yield Issue(
                None,
                f"{often!r} has {share:.0%} of the rows ({rows[most]:,}), "
                f"{seldom!r} has {rows[least]:,}.",
            )


def has_one_class(kind: type[Example]) -> bool:
    """Whether each row of a kind has exactly one class."""
    targets = kind.target_columns()
    classes = [own.is_one_class for own in targets if not isinstance(own, ScoreColumn)]
    return classes == [True]
