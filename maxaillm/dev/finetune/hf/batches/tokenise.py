"""Tokenisation: examples to rows of tokens, counting what was seen, cut or left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, Self

from pydantic import JsonValue
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.advice.history import TokenCounts
from maxaillm.dev.finetune.config.data import DataSection
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens

BATCH = 256
"""Examples tokenised at once; the tokenizer is several times faster on many."""
RAISE = "Raise data.max_length: it ends before what is to be learned."
WEIGH = "Check that its answers are not empty, and that their weight is not 0."
LOOK = "Look at these rows in the dataset."
Numbered = tuple[int, Example]


class Tokenised(NamedTuple):
    """What came of the examples; a long document gives several `rows`."""

    rows: Rows
    seen: int
    cut: int
    dropped: Counter[str]
    hints: Mapping[str, str] = {}
    """For a reason why rows are left out, what helps."""
    lost: int = 0
    """The tokens of rows that were cut, as far as they lay behind the cut."""
    in_texts: Mapping[str, int] = {}
    """What the chat template has no place for, and in how many rows it stands in a text."""
    partial: int = 0
    """Answers of a weight that is neither 0 nor 1; it counts as 1."""
    beside: Mapping[str, str] = {}
    """What the file held beside the examples, in sentences, and what helps."""

    @property
    def counts(self) -> TokenCounts:
        """For the run doctor."""
        tokens = len(self.rows.tokens.values)
        return TokenCounts(self.seen, tokens, self.rows.learned, self.cut, self.lost)

    @property
    def facts(self) -> dict[str, JsonValue]:
        return {
            "rows": self.seen,
            "tokens": len(self.rows.tokens.values),
            "trained_tokens": self.rows.learned,
            "cut_rows": self.cut,
            "cut_tokens": self.lost,
            "dropped_rows": self.dropped.total(),
        }


class Encoder(ABC):
    """Turns examples into rows and keeps count; `width` is the most tokens of a row."""

    floats: bool = False
    """Whether labels are figures."""

    def __init__(self, tokenizer: Tokenizer, width: int) -> None:
        self.tokenizer, self.width = tokenizer, width
        self.keeps_text, self.learns_reasoning = True, True
        self.seen, self.cut, self.lost, self.partial = 0, 0, 0, 0
        self.dropped: Counter[str] = Counter()
        self.hints: dict[str, str] = {}
        self.in_texts: Counter[str] = Counter()
        self.beside: dict[str, str] = {}

    def under(self, data: DataSection) -> Self:
        """The encoder, told how a run means its texts."""
        self.keeps_text = data.control_words == "text"
        self.learns_reasoning = data.learn_reasoning
        return self

    def tokens_of(self, *texts: Any, **options: Any) -> Any:
        """What the tokenizer makes of texts that were not written for it."""
        return self.tokenizer(*texts, split_special_tokens=self.keeps_text, **options)

    def told(self, rows: Rows) -> Tokenised:
        """The rows that were made, with the counts."""
        counts = (self.seen, self.cut, self.dropped, self.hints, self.lost)
        return Tokenised(rows, *counts, self.in_texts, self.partial, self.beside)

    def encode(
        self, examples: Iterable[Example], after_batch: Callable[[], None] = lambda: None
    ) -> Tokenised:
        """All examples. `after_batch` is called now and then and may raise to stop."""
        rows = Rows.of(self.encoded(iter(examples), after_batch), floats=self.floats)
        return self.told(rows)

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

    def drop(self, reason: str, count: int = 1, hint: str = LOOK) -> None:
        if count:
            self.dropped[reason] += count
            self.hints[reason] = hint

    def shortened(self, row: Tokens) -> Tokens:
        """The row, cut to the width; labels that lie at its tokens are cut with them."""
        if len(row.ids) <= self.width:
            return row
        self.cut += 1
        self.lost += len(row.ids) - self.width
        parallel = len(row.labels) == len(row.ids)
        labels = row.labels[: self.width] if parallel else row.labels
        return Tokens(row.ids[: self.width], labels, row.example)

    def kept(self, row: Tokens, whole: Tokens | None = None) -> Iterator[Tokens]:
        """The row, if anything in it is learned; `whole` is what it was before it was cut."""
        if any(label != IGNORED for label in row.labels):
            yield row
        elif whole is not None and any(label != IGNORED for label in whole.labels):
            self.drop("Nothing to learn is left in the row.", hint=RAISE)
        else:
            self.drop("Nothing in the row is to be learned.", hint=WEIGH)


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
        tokenised.hints.get(reason, LOOK),
    )
