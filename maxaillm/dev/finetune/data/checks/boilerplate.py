"""Boilerplate: the same long opening or ending in many answers or documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.hashes import Hashes, folded_hashes
from maxaillm.dev.finetune.data.analysis.text_search import lengths_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

SLICE = 60
KEPT = 400
FIRST_ROWS, STRIDE = 50_000, 8
"""Behind the first rows one of so many is looked at: what comes often comes among them too."""


class FrequentTexts:
    """The texts that come often among very many, in little memory (Misra and Gries 1982).

    Of n texts, one that comes more than n / KEPT times is there at the end, its count at most
    that much too low.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.owners: dict[str, set[int]] = {}

    def add(self, texts: Iterable[str], owners: Iterable[int]) -> None:
        """`owners` tell the whole texts apart that these are taken from."""
        for text, owner in zip(texts, owners, strict=True):
            if text in self.counts:
                self.counts[text] += 1
                if len(self.owners[text]) < 4:
                    self.owners[text].add(owner)
            elif len(self.counts) < KEPT:
                self.counts[text], self.owners[text] = 1, {owner}
            else:
                self.counts = {kept: n - 1 for kept, n in self.counts.items() if n > 1}
                self.owners = {kept: self.owners[kept] for kept in self.counts}


@checks.register
class Boilerplate(Check):
    label: ClassVar[str] = "The same opening or ending everywhere"
    why: ClassVar[str] = (
        "What comes in many answers is learned first, and soon begins every answer."
    )
    advice: ClassVar[str] = "Cut it off, unless the model is to say it."
    fix: ClassVar[str | None] = "replace_text"

    name: Literal["boilerplate"] = "boilerplate"
    min_share: float = Field(0.02, gt=0, le=1, title="Smallest share of the texts")
    min_texts: int = Field(10, ge=2, title="Fewest texts")
    _openings: FrequentTexts = PrivateAttr(default_factory=FrequentTexts)
    _endings: FrequentTexts = PrivateAttr(default_factory=FrequentTexts)
    _seen: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        import pyarrow.compute as pc

        numbers = np.array(batch.numbers, np.int64)
        is_drawn = (numbers <= FIRST_ROWS) | (numbers % STRIDE == 0)
        learned = batch.is_output & is_drawn[batch.texts.rows]
        self._seen += int(learned.sum())
        places = np.flatnonzero(learned & (lengths_of(batch) >= 2 * SLICE))
        texts = batch.texts.values.take(places)
        whole: Hashes = folded_hashes(batch)[places]
        openings = pc.utf8_slice_codeunits(texts, 0, SLICE).to_pylist()
        endings = pc.utf8_slice_codeunits(texts, -SLICE).to_pylist()
        self._openings.add(openings, whole.tolist())
        self._endings.add(endings, whole.tolist())
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        fewest = max(self.min_texts, self.min_share * self._seen)
        for frequent, verb in ((self._openings, "begin"), (self._endings, "end")):
            for text, count in sorted(frequent.counts.items(), key=lambda item: -item[1]):
                if count >= fewest and len(frequent.owners[text]) == 4:
                    message = (
                        f"At least {count:,} of {self._seen:,} texts looked at {verb} "
                        "with the same words."
                    )
                    yield Issue(None, message, text)
