"""Statistics of a dataset: lengths of its texts, turns, scores, tags.

Counted batch by batch: in bins that grow with what they hold, so that memory stays the same; only
scores, which may lie anywhere, are kept until the end, eight bytes a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, DialogueColumn
from maxaillm.dev.finetune.data.columns.targets import ScoreColumn, TagsColumn
from maxaillm.dev.finetune.data.store.batch import Batch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EDGES = (*range(16), *((16 + step) * 2**n for n in range(36) for step in range(16)))
"""Where the bins of lengths begin: one by one up to 32, from there 16 an octave."""
BARS = 24
SCORE_BINS = 20
COUNTED_TAGS = 1_000
Bin = tuple[float, float, int]
"""From, to (inclusive for whole numbers), and how many lie between."""


class LengthHistogram:
    """How many of each length there are, in the bins of `EDGES`."""

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] | None = None
        self.total = self.least = self.most = 0

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        import numpy as np

        if not len(lengths):
            return
        bins = np.searchsorted(np.array(EDGES), lengths, side="right") - 1
        counts = np.bincount(bins, minlength=len(EDGES))
        least, most = int(lengths.min()), int(lengths.max())
        self.least = least if self.counts is None else min(self.least, least)
        self.most = max(self.most, most)
        self.total += int(lengths.sum())
        self.counts = counts if self.counts is None else self.counts + counts

    def as_json(self) -> dict[str, Any]:
        """The bins from the shortest to the longest, as few together as a plot has room for."""
        assert self.counts is not None
        count = int(self.counts.sum())
        bins = [each for each in self.bins() if each[1] >= self.least and each[0] <= self.most]
        width = ceil(len(bins) / BARS)
        return {
            "bins": [joined(bins[at : at + width]) for at in range(0, len(bins), width)],
            "count": count,
            "mean": self.total / count,
            "min": self.least,
            "max": self.most,
        }

    def bins(self) -> Iterator[Bin]:
        assert self.counts is not None
        ends = (start - 1 for start in EDGES[1:])
        yield from zip(EDGES, ends, self.counts.tolist(), strict=False)


def joined(bins: Sequence[Bin]) -> Bin:
    return bins[0][0], bins[-1][1], sum(count for _, _, count in bins)


class RowStatistics:
    """The statistics of the batches seen so far, all of one kind."""

    def __init__(self) -> None:
        self.parts: dict[str, LengthHistogram] = {}
        self.turns, self.scores = LengthHistogram(), RowArrays()
        self.tags: Counter[str] = Counter()
        self.kind = ""

    def add(self, batch: Batch) -> None:
        import pyarrow.compute as pc

        self.kind = batch.kind.__name__
        self.add_lengths(batch)
        for dialogue in batch.kind.columns_of(DialogueColumn):
            self.turns.add(pc.list_value_length(batch.table[dialogue.name]).to_numpy())
        for score in batch.kind.columns_of(ScoreColumn):
            self.scores.add(batch.table[score.name].drop_null().to_numpy())
        for tags in batch.kind.columns_of(TagsColumn):
            self.add_tags(batch, tags.name)

    def add_lengths(self, batch: Batch) -> None:
        """Characters of each text, by what it is there and, of answers, whether it is wanted."""
        import numpy as np
        import pyarrow.compute as pc

        texts = batch.texts
        lengths = pc.utf8_length(texts.values).to_numpy(zero_copy_only=False).astype(np.int64)
        parts = texts.parts.dictionary_encode()
        codes = parts.indices.to_numpy(zero_copy_only=False)
        are_answers = bool(batch.kind.columns_of(AnswerColumn))
        for code, name in enumerate(parts.dictionary.to_pylist()):
            of_part = codes == code
            if not (are_answers and name == "assistant"):
                self.part(name).add(lengths[of_part])
                continue
            self.part("wanted").add(lengths[of_part & texts.is_learned & texts.is_wanted])
            self.part("unwanted").add(lengths[of_part & texts.is_learned & ~texts.is_wanted])
            self.part(name).add(lengths[of_part & ~texts.is_learned])

    def part(self, name: str) -> LengthHistogram:
        return self.parts.setdefault(name, LengthHistogram())

    def add_tags(self, batch: Batch, name: str) -> None:
        import pyarrow.compute as pc

        counts = pc.value_counts(batch.table[name].combine_chunks().flatten())
        for tag, count in zip(*(column.to_pylist() for column in counts.flatten()), strict=True):
            if tag in self.tags or len(self.tags) < COUNTED_TAGS:
                self.tags[tag] += count

    def as_json(self) -> dict[str, Any]:
        """What came of it, once all rows were seen."""
        parts = {
            name: part.as_json() for name, part in self.parts.items() if part.counts is not None
        }
        found: dict[str, Any] = {"kind": self.kind, "chars": parts}
        if self.turns.counts is not None:
            found["turns"] = self.turns.as_json()
        if len(self.scores):
            found["scores"] = spread_of(self.scores.whole()[0])
        if self.tags:
            found["tags"] = dict(self.tags)
        return found


def spread_of(scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    """How the scores are spread: each one where there are few, else bins of one width."""
    import numpy as np

    values, counts = np.unique(scores, return_counts=True)
    ends = values
    if len(values) > SCORE_BINS:
        counts, edges = np.histogram(scores, SCORE_BINS)
        values, ends = edges[:-1], edges[1:]
    bins = list(zip(values.tolist(), ends.tolist(), counts.tolist(), strict=True))
    return {
        "bins": bins,
        "count": len(scores),
        "mean": float(scores.mean()),
        "min": float(scores.min()),
        "max": float(scores.max()),
    }
