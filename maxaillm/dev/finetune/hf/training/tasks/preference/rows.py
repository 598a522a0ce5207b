"""Preferences, paired or not, as rows: one example, one row, its answers one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, PromptColumn
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.store.batch import stored
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import RAISE, Encoder, Numbered
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalEncoder

GOOD, BAD = -1, -2
"""At the first token of an answer's conversation, which is never learned: whether the answer is
as it should be. Of a pair, the better one comes first."""
UNCUT = sys.maxsize
IntArray = npt.NDArray[np.int32]


class Answer(NamedTuple):
    """A prompt with an answer to it; only the answer has labels."""

    ids: IntArray
    labels: IntArray
    is_good: bool

    @property
    def start(self) -> int:
        """Where the answer begins."""
        return int(np.argmax(self.labels != IGNORED))


class PreferenceEncoder(Encoder):
    """Writes each answer with its prompt as a conversation is written for training."""

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        chats = [chats_of(example) for _, example in batch]
        numbered = list(enumerate(chat for several in chats for chat, _ in several))
        plain = self.plain()
        whole = {row.example: row for row in plain.conversations(numbered)}
        self.in_texts.update(plain.in_texts)
        at = 0
        for (number, _), several in zip(batch, chats, strict=True):
            written = [whole.get(at + place) for place in range(len(several))]
            at += len(several)
            if None in written:
                self.drop(*self.refusal_of(several))
                continue
            goods = [is_good for _, is_good in several]
            yield from self.joined([row for row in written if row], goods, number)

    def plain(self) -> CausalEncoder:
        plain = CausalEncoder(self.tokenizer, UNCUT, "answers")
        plain.keeps_text, plain.learns_reasoning = self.keeps_text, self.learns_reasoning
        return plain

    def refusal_of(self, several: Sequence[tuple[Conversation, bool]]) -> tuple[str, int, str]:
        """Why an example can't be written; asked for alone, as a batch has many reasons."""
        alone = self.plain()
        list(alone.conversations([(0, chat) for chat, _ in several]))
        reason = next(iter(alone.dropped))
        return reason, 1, alone.hints[reason]

    def joined(self, written: list[Tokens], goods: list[bool], number: int) -> Iterator[Tokens]:
        """The answers as one row, each cut to the width, if all of them still teach something."""
        ids: list[int] = []
        labels: list[Any] = []
        for row, is_good in zip(written, goods, strict=True):
            learned = row.labels[1 : self.width]
            if all(label == IGNORED for label in learned):
                self.drop("The prompt alone fills the maximum length.", hint=RAISE)
                return
            ids += row.ids[: self.width]
            labels += [GOOD if is_good else BAD, *learned]
        half = len(ids) // 2
        if len(written) == 2 and ids[:half] == ids[half:]:
            reason = "Both answers are the same, as far as the maximum length reaches."
            self.drop(reason, hint=RAISE)
            return
        lost = sum(max(0, len(row.ids) - self.width) for row in written)
        self.cut, self.lost = self.cut + bool(lost), self.lost + lost
        yield Tokens(ids, labels, number)


def chats_of(example: Example) -> list[tuple[Conversation, bool]]:
    """Each answer with its prompt, and whether it is as it should be."""
    kind, fields = type(example), stored(example)
    prompt = [turn for own in kind.columns_of(PromptColumn) for turn in getattr(example, own.name)]
    tools = fields.get("tools")
    chats = [
        (chat(prompt, getattr(example, answer.name), tools), answer.is_wanted(fields))
        for answer in kind.columns_of(AnswerColumn)
    ]
    if not chats:
        raise TypeError(f"{kind.__name__} has no answer that is good or poor")
    return chats


def chat(
    prompt: Sequence[Message], answer: Sequence[Message], tools: str | None = None
) -> Conversation:
    """A conversation of which only the answer is learned."""
    seen = [message.model_copy(update={"weight": 0}) for message in prompt]
    return Conversation(messages=[*seen, *answer], tools=tools)


def answers_in(rows: Rows, row: int) -> list[Answer]:
    ids, labels = rows[row]
    starts = np.flatnonzero((labels == GOOD) | (labels == BAD))
    parts = zip(np.split(ids, starts[1:]), np.split(labels, starts[1:]), strict=True)
    return [
        Answer(part, np.where(marked < 0, IGNORED, marked), bool(marked[0] == GOOD))
        for part, marked in parts
    ]
