"""Examples as a task's encoder makes rows of them, and what was beyond the maximum length.

Each example is encoded twice by the very encoder that training uses: without a limit, and with
the limit where that makes a difference. What only the first has is cut.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.hf.batches.rows import Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import BATCH, Encoder, Numbered
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, Stream

UNCUT = sys.maxsize
State = Literal["trained", "context", "cut"]


class Encoded(NamedTuple):
    """What becomes of an example: `rows` that training sees, `whole` ones without a limit."""

    whole: list[Tokens]
    rows: list[Tokens]
    length: int
    """The tokens that the maximum length is compared with: of an answer, of an input."""

    @property
    def is_divided(self) -> bool:
        """Whether it became more rows than it would be, so that nothing of it is cut."""
        return len(self.rows) > len(self.whole)


class Seen(NamedTuple):
    """Tokens side by side before the model, and what becomes of each."""

    stream: Stream
    states: list[State]


class TwofoldEncoder:
    """Encodes as training does and remembers how long examples really are.

    `encoder` counts as it counts in a run: what it has seen, cut and left out.
    """

    def __init__(self, task: ModelTask, tokenizer: Tokenizer, encoder: Encoder) -> None:
        self.task, self.encoder, self.width = task, encoder, encoder.width
        has_processor = task.config.data.processor is not None
        self.whole = encoder if has_processor else task.encoder(tokenizer, UNCUT)
        ends = {tokenizer.bos_token_id, tokenizer.eos_token_id}  # GPT-2's one special token is all
        self.unknown = None if tokenizer.unk_token_id in ends else tokenizer.unk_token_id
        self.from_end = tokenizer.truncation_side == "left"

    def encode(self, examples: Iterable[Example]) -> Iterator[Encoded]:
        waiting = iter(examples)
        while batch := list(islice(waiting, BATCH)):
            numbered = list(enumerate(batch, start=self.encoder.seen))
            self.encoder.seen += len(batch)
            yield from self.of_batch(numbered)

    def of_batch(self, batch: list[Numbered]) -> Iterator[Encoded]:
        whole = by_example(self.whole.rows_of(batch))
        lengths = {number: self.length(whole[number]) for number, _ in batch}
        rows = whole
        if self.whole is not self.encoder:
            doubtful = [(n, e) for n, e in batch if not whole[n] or lengths[n] > self.width]
            shorter = by_example(self.encoder.rows_of(doubtful)) if doubtful else whole
            rows = whole | {number: shorter[number] for number, _ in doubtful}
        for number, _ in batch:
            yield Encoded(whole[number], rows[number], lengths[number])

    def length(self, rows: list[Tokens]) -> int:
        streams = (stream for row in rows for stream in self.task.streams(row))
        return max((len(stream.ids) for stream in streams), default=0)

    def seen(self, encoded: Encoded) -> list[Seen]:
        """What the model sees of an example, and what it does not see any more."""
        if encoded.is_divided:
            return [
                Seen(stream, states_of(stream))
                for row in encoded.rows
                for stream in self.task.streams(row)
            ]
        wholes = [stream for row in encoded.whole for stream in self.task.streams(row)]
        if not encoded.rows:
            return [Seen(stream, self.left_out(stream)) for stream in wholes]
        kept = [stream for row in encoded.rows for stream in self.task.streams(row)]
        return [self.beside(a, b) for a, b in zip(wholes, kept, strict=True)]

    def left_out(self, whole: Stream) -> list[State]:
        """Of a row in which nothing is learned: what lay within the maximum length."""
        return ["context" if place < self.width else "cut" for place in range(len(whole.ids))]

    def beside(self, whole: Stream, kept: Stream) -> Seen:
        """The whole stream; a token is cut where the kept one has nothing for it."""
        places = places_of(whole.ids, kept.ids, from_end=self.from_end)
        states: list[State] = ["cut"] * len(whole.ids)
        for place, state in zip(places, states_of(kept), strict=True):
            states[place] = state
        return Seen(whole, states)


def by_example(rows: Iterable[Tokens]) -> defaultdict[int, list[Tokens]]:
    found: defaultdict[int, list[Tokens]] = defaultdict(list)
    for row in rows:
        found[row.example].append(row)
    return found


def states_of(stream: Stream) -> list[State]:
    return ["trained" if learned else "context" for learned in stream.learned]


def places_of(whole: Sequence[int], kept: Sequence[int], *, from_end: bool) -> list[int]:
    """Where the kept tokens lie among all: at the beginning; or, with special tokens around, at
    the beginning or the end of each text, so that the first match from that side is the one."""
    if list(whole[: len(kept)]) == list(kept):
        return list(range(len(kept)))
    waiting = iter(range(len(whole) - 1, -1, -1) if from_end else range(len(whole)))
    wanted = reversed(kept) if from_end else iter(kept)
    places = [next(place for place in waiting if whole[place] == token) for token in wanted]
    return places[::-1] if from_end else places
