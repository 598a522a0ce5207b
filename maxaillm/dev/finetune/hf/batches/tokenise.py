"""Tokenisation: examples to rows of tokens, counting what was seen, cut or left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pydantic import JsonValue
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens

BATCH = 256
"""Examples tokenised at once; the tokenizer is several times faster on many."""
Numbered = tuple[int, Example]


class Tokenised(NamedTuple):
    """What came of the examples; a long document gives several `rows`."""

    rows: Rows
    seen: int
    cut: int
    dropped: Counter[str]

    @property
    def facts(self) -> dict[str, JsonValue]:
        return {
            "rows": self.seen,
            "tokens": len(self.rows.tokens.values),
            "trained_tokens": self.rows.learned,
            "cut_rows": self.cut,
            "dropped_rows": self.dropped.total(),
        }


class Encoder(ABC):
    """Turns examples into rows and keeps count; `width` is the most tokens of a row."""

    floats: bool = False
    """Whether labels are figures."""

    def __init__(self, tokenizer: Tokenizer, width: int) -> None:
        self.tokenizer, self.width = tokenizer, width
        self.seen, self.cut = 0, 0
        self.dropped: Counter[str] = Counter()

    def encode(
        self, examples: Iterable[Example], after_batch: Callable[[], None] = lambda: None
    ) -> Tokenised:
        """All examples. `after_batch` is called now and then and may raise to stop."""
        rows = Rows.of(self.encoded(iter(examples), after_batch), floats=self.floats)
        return Tokenised(rows, self.seen, self.cut, self.dropped)

    def encoded(
        self, examples: Iterator[Example], after_batch: Callable[[], None]
    ) -> Iterator[Tokens]:
        while batch := list(islice(examples, BATCH)):
            numbered = list(enumerate(batch, start=self.seen))
            self.seen += len(batch)
            yield from self.rows_of(numbered)
            after_batch()

    @abstractmethod
    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        """The rows of some examples; what can't be learned from is counted by `drop`."""

    def drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.dropped[reason] += count

    def shortened(self, row: Tokens) -> Tokens:
        """The row, cut to the width; labels that lie at its tokens are cut with them."""
        if len(row.ids) <= self.width:
            return row
        self.cut += 1
        parallel = len(row.labels) == len(row.ids)
        labels = row.labels[: self.width] if parallel else row.labels
        return Tokens(row.ids[: self.width], labels, row.example)

    def kept(self, row: Tokens) -> Iterator[Tokens]:
        """The row, if anything in it is learned."""
        if any(label != IGNORED for label in row.labels):
            yield row
        else:
            self.drop("Nothing to learn is left in the row.")


def require_rows(tokenised: Tokenised, words: str) -> None:
    """Raises DataError where nothing can be learned, with the reason that most rows share.

    `words` is what the rows are called.
    """
    if len(tokenised.rows):
        return
    if not tokenised.seen:
        raise DataError(f"There are no {words}.", "Choose a file with rows in it.")
    reason, count = tokenised.dropped.most_common(1)[0]
    raise DataError(
        f"None of the {words} can be learned from. In {count:,} of {tokenised.seen:,}: {reason}",
        "Raise data.max_length where rows are cut before the answer; check that answers are "
        "not empty and their weight is not 0.",
    )
