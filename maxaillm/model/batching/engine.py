"""The batch engine: answers of one base and its adapters, a forward pass a token for all of them.

Each pass has one new token of every live answer, and pieces of the prompts of those that join; so
answers come and go between tokens, and a long prompt holds up nobody for long.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.batching.adapters import AdapterPool, Span
from maxaillm.model.batching.attention import Batch, Piece, working_on
from maxaillm.model.batching.batched_answer import BatchedAnswer
from maxaillm.model.batching.beginnings import Beginnings
from maxaillm.model.batching.logprobs import TokenWords, of_tokens
from maxaillm.model.batching.sampler import likeliest
from maxaillm.model.batching.slots import Slots
from maxaillm.model.logprobs import TokenLogprob

MOST_ANSWERS = 32
"""Made at once on one base: more of them share the processor without being done sooner."""
PROMPT_TOKENS = 256
"""Of prompts in a pass while answers are being made; twice as many while there are none."""
LEAST_PROMPT_TOKENS = 32
PASS_SECONDS = 0.1
"""A pass with prompts shall not take longer, so that streams flow and a stop is heard."""
ECHOED_SCORES = 2**23
"""Scores of an echoed prompt that are held at once: [tokens, vocabulary]."""


class BatchEngine:
    """Makes the answers of `model`, whose attention is `attention.NAME`; see `support.twin_of`.

    `budget_bytes` bounds keys and values; one answer is always made, however long.
    """

    def __init__(self, model: Any, words: TokenWords, pool: AdapterPool, budget_bytes: int) -> None:
        self.model, self.words, self.pool = model, words, pool
        self.budget_bytes = budget_bytes
        self.slots = Slots()
        self.beginnings = Beginnings(self.slots)
        self.waiting: deque[BatchedAnswer] = deque()
        self.rows: list[BatchedAnswer] = []
        """By slot: first the live ones, then those whose prompt is being read."""
        self.live = 0
        self.token_seconds = 0.0
        """What a token of a prompt took lately."""

    @property
    def answers(self) -> Sequence[BatchedAnswer]:
        return [*self.rows, *self.waiting]

    def join(self, answer: BatchedAnswer) -> None:
        self.waiting.append(answer)

    @torch.inference_mode()
    def leave(self, answer: BatchedAnswer) -> None:
        answer.end("cancelled")
        if answer in self.waiting:
            self.waiting.remove(answer)
        else:
            self.drop([answer])

    @torch.inference_mode()
    def fail(self, error: FineTuneError) -> None:
        for answer in self.answers:
            answer.fail(error)
        self.waiting.clear()
        self.drop(list(self.rows))
        self.beginnings.left.clear()

    @torch.inference_mode()
    def step(self) -> None:
        self.admit()
        if not self.rows:
            return
        pieces = self.pieces()
        started = time.perf_counter()
        logits, batch = self.forward(pieces)
        if pieces:
            self.note_speed(batch, time.perf_counter() - started)
        self.take(logits, pieces)

    def admit(self) -> None:
        """Give slots to those that wait, in their order, as far as memory reaches."""
        while self.waiting and len(self.rows) < MOST_ANSWERS and self.has_room(self.waiting[0]):
            answer = self.waiting.popleft()
            self.slots.reserve(len(self.rows) + 1, answer.length)
            answer.cached = self.beginnings.lay(answer, self.rows, len(self.rows))
            self.rows.append(answer)

    def has_room(self, answer: BatchedAnswer) -> bool:
        count, length = self.slots.size_for(len(self.rows) + 1, answer.length)
        return not self.rows or count * length * self.slots.position_bytes <= self.budget_bytes

    def pieces(self) -> list[Piece]:
        """What is read of prompts in this pass: each gets the same, short ones what they need."""
        joining = list(enumerate(self.rows))[self.live :]
        left, shares = self.prompt_tokens, dict[int, int]()
        for number, (slot, row) in enumerate(sorted(joining, key=lambda it: it[1].remaining)):
            most = max(1, left // (len(joining) - number))
            if row.echo:
                most = min(most, max(1, ECHOED_SCORES // self.vocabulary))
            shares[slot] = min(row.remaining, most) if left > 0 else 0
            left -= shares[slot]
        return [Piece(slot, row.cached, shares[slot]) for slot, row in joining if shares[slot]]

    @property
    def vocabulary(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def prompt_tokens(self) -> int:
        most = PROMPT_TOKENS if self.live else 2 * PROMPT_TOKENS
        if not self.token_seconds:
            return LEAST_PROMPT_TOKENS * 4
        return max(LEAST_PROMPT_TOKENS, min(most, int(PASS_SECONDS / self.token_seconds)))

    def note_speed(self, batch: Batch, seconds: float) -> None:
        last = seconds / batch.tokens
        self.token_seconds = (self.token_seconds + last) / 2 if self.token_seconds else last

    def forward(self, pieces: Sequence[Piece]) -> tuple[Tensor, Batch]:
        """The scores [rows, vocabulary] of the live answers' next tokens, then of the pieces: all
        places of an echoed prompt, else the last place where the prompt ends here."""
        live = self.rows[: self.live]
        ids = [row.tokens[-1] for row in live]
        positions = [row.cached for row in live]
        kept, spans, at = list(range(self.live)), list[Span](), self.live
        for slot, start, count in pieces:
            row, end = self.rows[slot], at + count
            ids += row.tokens[start : start + count]
            if row.echo:
                kept += range(at, end)
            elif count == row.remaining:
                kept.append(end - 1)
            if row.adapter is not None:
                spans.append(Span(at, end, row.adapter))
            at = end
        adapters = self.pool.use([row.adapter for row in live], spans)
        batch = Batch(self.slots, positions, pieces, adapters)
        ranges = chain(positions, *(range(p.start, p.start + p.size) for p in pieces))
        with working_on(batch):
            made = self.run(ids, list(ranges), kept if pieces else None)
        return made, batch

    def run(self, ids: list[int], positions: list[int], kept: list[int] | None) -> Tensor:
        device = self.model.device
        wanted = 0 if kept is None else torch.tensor(kept, dtype=torch.long, device=device)
        made = self.model(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor([positions], device=device),
            use_cache=False,
            logits_to_keep=wanted,
        )
        logits: Tensor = made.logits[0]
        return logits

    def take(self, logits: Tensor, pieces: Sequence[Piece]) -> None:
        """Draw the next tokens from the scores, and let go who has ended."""
        drawing = list(range(self.live))
        """Slots whose next token is drawn, and in `places` their rows of the scores."""
        places, at = list(drawing), self.live
        for row in self.rows[: self.live]:
            row.cached += 1
        for slot, start, count in pieces:
            row = self.rows[slot]
            row.cached += count
            scored = count if row.echo else int(not row.remaining)
            if row.echo:
                self.note_prompt(row, start, logits[at : at + count])
            at += scored
            if not row.remaining:
                drawing.append(slot)
                places.append(at - 1)
        chosen = [self.rows[slot] for slot in drawing]
        self.draw(chosen, logits if len(places) == len(logits) else logits[places])
        self.settle(chosen)

    def draw(self, rows: Sequence[BatchedAnswer], logits: Tensor) -> None:
        """The next token of each row [rows, vocabulary]; of some only the prompt was to be read."""
        plain = [n for n, row in enumerate(rows) if row.most and row.sampler.is_plain]
        best = likeliest(logits if len(plain) == len(rows) else logits[plain]) if plain else []
        found = dict(zip(plain, best, strict=True))
        for number, row in enumerate(rows):
            if not row.most:
                row.end("length")
                continue
            try:
                self.extend(row, logits[number], found.get(number))
            except FineTuneError as error:  # its schema turned out to cost too much
                row.fail(error)

    def extend(self, row: BatchedAnswer, logits: Tensor, token: int | None) -> None:
        token = row.sampler.choose(logits) if token is None else token
        logprob = None
        if row.top is not None:
            [logprob] = of_tokens(self.words, logits[None], [token], row.top)
        row.take(token, logprob)

    def note_prompt(self, row: BatchedAnswer, start: int, logits: Tensor) -> None:
        """The log probabilities of a prompt's tokens: each by the scores one place before it."""
        if not start:
            first = self.words.told(row.tokens[0], None)
            row.prompt_logprobs.append(TokenLogprob(**first.model_dump()))
        following = row.tokens[start + 1 : min(start + 1 + len(logits), row.prompt_tokens)]
        row.prompt_logprobs += of_tokens(
            self.words, logits[: len(following)], following, row.top or 0
        )

    def settle(self, drawn: Sequence[BatchedAnswer]) -> None:
        """Those whose prompt is read become live; those that have ended leave."""
        for row in drawn:
            slot = self.rows.index(row)
            if slot >= self.live:
                self.swap(slot, self.live)
                self.live += 1
        self.drop([row for row in drawn if row.finish is not None])

    def drop(self, ended: Sequence[BatchedAnswer]) -> None:
        """The last live one takes the place of one that leaves, the last of all takes the last
        live one's; what was left of it may be the beginning of another prompt."""
        for row in ended:
            slot = self.rows.index(row)
            if slot < self.live:
                self.live -= 1
                self.swap(slot, self.live)
                slot = self.live
            self.swap(slot, len(self.rows) - 1)
            self.rows.pop()
            self.beginnings.keep(row, len(self.rows))
        if ended and not self.rows and not self.waiting:
            self.beginnings.trim()

    def swap(self, one: int, other: int) -> None:
        first, second = self.rows[one], self.rows[other]
        self.slots.swap(one, other, max(first.cached, second.cached))
        self.rows[one], self.rows[other] = second, first
