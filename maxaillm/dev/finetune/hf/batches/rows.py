"""Tokenised rows in flat arrays: a million rows cost no million Python objects."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

IGNORED = -100
"""The label of a position that is not learned, as torch's losses know it."""
Keep = npt.NDArray[np.bool_]


class Tokens(NamedTuple):
    """One row: what the model sees, what it is to say, and which example it comes from.

    `labels` are ids where tokens are learned, one class, or one value a class; a long document
    gives several rows of one `example`.
    """

    ids: Sequence[int]
    labels: Sequence[int] | Sequence[float]
    example: int


class Ragged:
    """Rows of different lengths, one behind the other."""

    def __init__(self, values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> None:
        self.values, self.starts = values, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        return self.values[self.starts[index] : self.starts[index + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.starts)

    def chosen(self, keep: Keep) -> Ragged:
        lengths = self.lengths
        starts = np.concatenate([[0], np.cumsum(lengths[keep])])
        return Ragged(self.values[np.repeat(keep, lengths)], starts)


class Rows:
    """What a task makes of a dataset. `labels` are whole numbers, or floats for figures."""

    def __init__(self, tokens: Ragged, labels: Ragged, examples: npt.NDArray[np.int64]) -> None:
        self.tokens, self.labels, self.examples = tokens, labels, examples

    @classmethod
    def of(cls, rows: Iterable[Tokens], *, floats: bool = False) -> Rows:
        labels: array[Any] = array("f" if floats else "i")
        ids, examples = array("i"), array("q")
        ends, label_ends = array("q", [0]), array("q", [0])
        for row in rows:
            ids.extend(row.ids)
            labels.extend(row.labels)
            ends.append(len(ids))
            label_ends.append(len(labels))
            examples.append(row.example)
        return cls(
            Ragged(np.array(ids, np.int32), np.array(ends, np.int64)),
            Ragged(
                np.array(labels, np.float32 if floats else np.int32),
                np.array(label_ends, np.int64),
            ),
            np.array(examples, np.int64),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
        return self.tokens[index], self.labels[index]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The work that a row is: what is read and, where that is another text, written."""
        read, written = self.tokens.lengths, self.labels.lengths
        return read if np.array_equal(read, written) else read + written

    @property
    def learned(self) -> int:
        """How many labels count: all figures, and what is no mark such as IGNORED."""
        values = self.labels.values
        figures = np.issubdtype(values.dtype, np.floating)
        return int(((values != IGNORED) if figures else (values >= 0)).sum())

    def hold_out(self, share: float, seed: int) -> tuple[Rows, Rows]:
        """The rows to train on, and a share of them held out, drawn by the seed.

        Whole examples are drawn; the parts of one only where there is no other.
        """
        several = len(np.unique(self.examples)) > 1
        groups = self.examples if several else np.arange(len(self))
        names = np.unique(groups)
        count = min(max(1, round(share * len(names))), len(names) - 1) if share else 0
        drawn = np.random.default_rng(seed).permutation(names)[:count]
        held = np.isin(groups, drawn)
        return self.chosen(~held), self.chosen(held)

    def chosen(self, keep: Keep) -> Rows:
        """The rows where `keep` is true."""
        return Rows(self.tokens.chosen(keep), self.labels.chosen(keep), self.examples[keep])

    def digest(self) -> str:
        """A name for exactly these tokens and labels in this order."""
        parts = (
            part for ragged in (self.tokens, self.labels) for part in (ragged.values, ragged.starts)
        )
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
