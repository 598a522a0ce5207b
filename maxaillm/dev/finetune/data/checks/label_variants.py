"""Label variants: labels that are written in several ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.analysis.label_counts import LabelCounts
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class LabelVariants(Check):
    label: ClassVar[str] = "Labels written in several ways"
    why: ClassVar[str] = "“Spam” and “spam ” are two classes to a model, and each has fewer rows."
    advice: ClassVar[str] = "Write them in one way; else each is a class of its own."
    fix: ClassVar[str | None] = "normalise_labels"
    unit: ClassVar[str] = "class"

    name: Literal["label_variants"] = "label_variants"
    _counts: LabelCounts = PrivateAttr(default_factory=LabelCounts)

    def see(self, batch: Batch) -> Iterator[Issue]:
        self._counts.add(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if self._counts.is_full:
            return
        spellings: dict[str, list[str]] = defaultdict(list)
        for label in self._counts.rows:
            spellings[" ".join(label.split()).casefold()].append(label)
        for variants in spellings.values():
            if len(variants) > 1:
                names = ", ".join(repr(shown(label, 60)) for label in variants[:5])
                message = f"These labels differ only by case or spaces: {names}."
                yield Issue(self._counts.first_row[variants[-1]], message)
