"""Examples to tokens: which are seen, which are learned, what was cut or left out."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.formats import Conversation, Example, Text
from maxaillm.dev.finetune.hf.chat_template import (
    Rendered,
    UnfitConversationError,
    render,
    template_of,
)

BATCH = 256
"""Examples tokenised at once; the tokenizer is several times faster on many."""


class Tokens(NamedTuple):
    """One row: token ids, and whether each is learned. A first token never is."""

    ids: list[int]
    learned: list[bool]
    example: int
    """The number of the example it comes from: a long document gives several."""


class TokenRows:
    """Many examples in three flat arrays: a million rows cost no million Python objects."""

    def __init__(self, rows: Iterable[Tokens]) -> None:
        ids, learned, starts, examples = array("i"), array("b"), array("q", [0]), array("q")
        for row in rows:
            ids.extend(row.ids)
            learned.extend(row.learned)
            starts.append(len(ids))
            examples.append(row.example)
        self.ids: npt.NDArray[np.int32] = np.array(ids, np.int32)
        self.learned: npt.NDArray[np.bool_] = np.array(learned, np.bool_)
        self.starts: npt.NDArray[np.int64] = np.array(starts, np.int64)
        self.examples: npt.NDArray[np.int64] = np.array(examples, np.int64)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        part = slice(self.starts[index], self.starts[index + 1])
        return self.ids[part], self.learned[part]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.starts)

    def hold_out(self, share: float, seed: int) -> tuple[TokenRows, TokenRows]:
        """The rows to train on, and a share of them held out, drawn by the seed.

        Whole examples are drawn; the parts of one only where there is no other.
        """
        groups = self.examples if len(set(self.examples.tolist())) > 1 else self.starts[:-1]
        names = np.unique(groups)
        count = min(max(1, round(share * len(names))), len(names) - 1) if share else 0
        drawn = np.random.default_rng(seed).permutation(names)[:count]
        held = np.isin(groups, drawn)
        return self.chosen(~held), self.chosen(held)

    def chosen(self, keep: npt.NDArray[np.bool_]) -> TokenRows:
        """The rows where `keep` is true."""
        rows, kept = TokenRows(()), np.repeat(keep, self.lengths)
        rows.ids, rows.learned = self.ids[kept], self.learned[kept]
        rows.starts = np.concatenate([[0], np.cumsum(self.lengths[keep])])
        rows.examples = self.examples[keep]
        return rows

    def digest(self) -> str:
        """A name for exactly these tokens in this order."""
        parts = (self.ids, self.learned, self.starts)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


class Tokenised(NamedTuple):
    """What came of the examples. Rows are examples; a long document gives several `rows`."""

    rows: TokenRows
    seen: int
    cut: int
    dropped: Counter[str]

    @property
    def facts(self) -> dict[str, JsonValue]:
        return {
            "rows": self.seen,
            "tokens": len(self.rows.ids),
            "trained_tokens": int(self.rows.learned.sum()),
            "cut_rows": self.cut,
            "dropped_rows": self.dropped.total(),
        }


class Encoder:
    """Turns examples into tokens and keeps count."""

    def __init__(self, tokenizer: Tokenizer, train_on: str, width: int) -> None:
        self.tokenizer, self.train_on, self.width = tokenizer, train_on, width
        self.seen, self.cut = 0, 0
        self.dropped: Counter[str] = Counter()

    def encode(
        self, examples: Iterable[Example], after_batch: Callable[[], None] = lambda: None
    ) -> Tokenised:
        """All examples. `after_batch` is called now and then and may raise to stop."""
        rows = TokenRows(self.encoded(iter(examples), after_batch))
        return Tokenised(rows, self.seen, self.cut, self.dropped)

    def encoded(
        self, examples: Iterator[Example], after_batch: Callable[[], None]
    ) -> Iterator[Tokens]:
        while batch := list(islice(examples, BATCH)):
            numbered = list(enumerate(batch, start=self.seen))
            self.seen += len(batch)
            yield from self.documents([(n, e) for n, e in numbered if isinstance(e, Text)])
            talks = [(n, e) for n, e in numbered if isinstance(e, Conversation)]
            yield from self.conversations(talks)
            others = sum(not isinstance(e, Text | Conversation) for _, e in numbered)
            if others:
                self.dropped["A row with a class has no answer to learn."] += others
            after_batch()

    def documents(self, texts: list[tuple[int, Text]]) -> Iterator[Tokens]:
        """Every token is learned and EOS follows; a long document becomes several rows, which
        overlap by the one token that a row can't learn."""
        if not texts:
            return
        width, eos = self.width, self.tokenizer.eos_token_id
        encoded = self.tokenizer([text.text for _, text in texts]).input_ids
        for (number, _), ids in zip(texts, encoded, strict=True):
            whole = ids if eos is None or ids[-1:] == [eos] else [*ids, eos]
            for start in range(0, max(len(whole) - 1, 1), width - 1):
                chunk = whole[start : start + width]
                yield from self.kept(Tokens(chunk, [True] * len(chunk), number))

    def conversations(self, talks: list[tuple[int, Conversation]]) -> Iterator[Tokens]:
        if talks:
            self.tokenizer.chat_template = template_of(self.tokenizer)
        rendered: list[tuple[int, Rendered]] = []
        for number, talk in talks:
            try:
                rendered.append((number, render(self.tokenizer, talk.messages)))
            except UnfitConversationError as error:
                self.dropped[str(error)] += 1
        if not rendered:
            return
        texts = [text for _, (text, _) in rendered]
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        for (number, (text, answers)), ids, offsets in zip(
            rendered, encoded.input_ids, encoded.offset_mapping, strict=True
        ):
            spans = answers if self.train_on == "answers" else [(0, len(text))]
            learned = [any(start <= at < end for start, end in spans) for at, _ in offsets]
            yield from self.kept(self.shortened(Tokens(ids, learned, number)))

    def shortened(self, row: Tokens) -> Tokens:
        if len(row.ids) <= self.width:
            return row
        self.cut += 1
        return Tokens(row.ids[: self.width], row.learned[: self.width], row.example)

    def kept(self, row: Tokens) -> Iterator[Tokens]:
        """The row, if anything in it is learned."""
        if any(row.learned[1:]):
            yield row._replace(learned=[False, *row.learned[1:]])
        else:
            self.dropped["Nothing to learn is left in the row."] += 1


def require_rows(tokenised: Tokenised, source: str) -> None:
    """Raises DataError where nothing can be learned, with the reason that most rows share."""
    if len(tokenised.rows):
        return
    if not tokenised.seen:
        raise DataError(f"{source} has no rows.", "Choose a file with rows in it.")
    reason, count = tokenised.dropped.most_common(1)[0]
    raise DataError(
        f"No row of {source} can be learned from. In {count} of {tokenised.seen}: {reason}",
        "Raise data.max_length where rows are cut before the answer; check that answers are "
        "not empty and their weight is not 0.",
    )
