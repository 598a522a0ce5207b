"""What a run would see of a whole dataset: lengths, what is cut, trained and packed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import tee
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.rows import Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Tokenised, require_rows
from maxaillm.dev.finetune.hf.token_view.examples import Sample
from maxaillm.dev.finetune.hf.token_view.rows import Encoded, TwofoldEncoder
from maxaillm.dev.finetune.hf.training.dataset import TaskDataset

Progress = Callable[[float], None]
BINS, LEAST_BIN = 32, 4
"""A histogram has at most so many bins; the last one has all that is longer."""
CUT_SHARES = (0.0, 0.01, 0.05)
"""For which shares of cut rows a maximum length is named."""
TOLD_ROWS = 500
NAMED_ROWS = 10
Lengths = npt.NDArray[np.int64]


class Counted:
    """How many rows there are of a kind, and where the first ones are."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[int] = []

    def add(self, place: int) -> None:
        self.total += 1
        if len(self.first) < NAMED_ROWS:
            self.first.append(place)


class Summary:
    """Counts while it passes rows on."""

    def __init__(self, twofold: TwofoldEncoder, sample: Sample, on_progress: Progress) -> None:
        self.twofold, self.sample, self.on_progress = twofold, sample, on_progress
        self.lengths = array("q")
        self.divided = 0
        self.longer, self.lost = Counted(), Counted()
        encoder = twofold.encoder
        rows = Rows.of(self.rows(), floats=encoder.floats)
        self.found = encoder.told(rows)

    def rows(self) -> Iterator[Tokens]:
        placed, again = tee(self.sample.placed)
        encoded = self.twofold.encode(one.example for one in again)
        for done, (one, made) in enumerate(zip(placed, encoded, strict=True), start=1):
            self.count(one.place, made)
            if self.sample.total and done % TOLD_ROWS == 0:
                self.on_progress(done / self.sample.total)
            yield from made.rows

    def count(self, place: int, made: Encoded) -> None:
        if not made.whole:
            return
        self.lengths.append(made.length)
        self.divided += made.is_divided
        if made.length > self.twofold.width and not made.is_divided:
            self.longer.add(place)
        if not made.rows:
            self.lost.add(place)

    def as_json(self, *, packed: bool) -> dict[str, JsonValue]:
        """All figures of the sample."""
        rows, width = self.found.rows, self.twofold.width
        sequences = TaskDataset(self.twofold.task, rows, packed=packed, width=width)
        learns_tokens = self.twofold.task.learns_tokens
        tokens = int(rows.lengths.sum()) if learns_tokens else len(rows.tokens.values)
        refusal = refusal_of(self.found)
        return {
            **self.found.facts,
            "tokens": tokens,
            "trained_tokens": rows.learned if learns_tokens else 0,
            "unknown_tokens": self.unknown(rows),
            "trained_share": rows.learned / tokens if learns_tokens and tokens else None,
            "every": self.sample.every,
            "model_rows": len(rows),
            "longer_rows": self.longer.total,
            "longer_at": list(self.longer.first),
            "lost_rows": self.lost.total,
            "lost_at": list(self.lost.first),
            "divided_rows": self.divided,
            "dropped": dict(self.found.dropped),
            "hints": dict(self.found.hints),
            "in_texts": dict(self.twofold.whole.in_texts),
            "packed": packed,
            "sequences": len(sequences),
            "packing_efficiency": sequences.efficiency if len(sequences) else None,
            "refusal": refusal.as_json() if refusal else None,
            **figures_of(np.array(self.lengths, np.int64)),
        }

    def unknown(self, rows: Rows) -> int:
        """Tokens that stand for what the tokenizer does not know."""
        unknown = self.twofold.unknown
        seen = [rows.tokens.values]
        if self.twofold.task.learns_tokens and rows.tokens.values.shape != rows.labels.values.shape:
            seen.append(rows.labels.values)  # another text
        return 0 if unknown is None else sum(int((ids == unknown).sum()) for ids in seen)


def refusal_of(found: Tokenised) -> DataError | None:
    """Why a run would be refused: nothing can be learned."""
    try:
        require_rows(found, "rows")
    except DataError as error:
        return error
    return None


def figures_of(lengths: Lengths) -> dict[str, Any]:
    """Of the lengths that rows have before they are cut."""
    if not len(lengths):
        return {"length": None, "histogram": [], "max_length_for": []}
    ordered = np.sort(lengths)
    shares = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {
        "length": {name: reached_by(ordered, share) for name, share in shares.items()}
        | {"mean": round(float(lengths.mean()), 1)},
        "histogram": histogram(ordered),
        "max_length_for": [
            {"cut_share": share, "tokens": reached_by(ordered, 1 - share)} for share in CUT_SHARES
        ],
    }


def reached_by(ordered: Lengths, share: float) -> int:
    """The length that at least this share of rows does not exceed."""
    return int(ordered[max(0, int(np.ceil(share * len(ordered))) - 1)])


def histogram(ordered: Lengths) -> list[dict[str, int | None]]:
    """Rows by length in bins of equal width, a power of two; the last one is open where some
    rows are far longer than the others."""
    usual, longest = reached_by(ordered, 0.99), int(ordered[-1])
    size = LEAST_BIN
    while usual >= size * (BINS - 1):
        size *= 2
    count = min(longest // size + 1, BINS)
    places = np.minimum(ordered // size, count - 1)
    is_open = longest >= count * size
    return [
        {
            "from": place * size,
            "to": None if is_open and place == count - 1 else (place + 1) * size,
            "rows": int(rows),
        }
        for place, rows in enumerate(np.bincount(places, minlength=count))
    ]
