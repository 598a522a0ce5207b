"""Encoder-decoder models: one text in, another out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

import torch
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.hf.batches.collate import (
    Collator,
    LabelCollator,
    Sequences,
    eval_batches,
)
from maxaillm.dev.finetune.hf.batches.pairs import PairCollator
from maxaillm.dev.finetune.hf.batches.rows import Rows, Tokens
from maxaillm.dev.finetune.hf.batches.template_turns import Abilities, written
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.generation.answers import BATCH, MAX_ROWS, SPARE_TOKENS
from maxaillm.dev.finetune.hf.training.packed_pairs import (
    PackedPairs,
    decoder_inputs,
    keeps_pairs_apart,
)
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, Objective, Observed, Stream
from maxaillm.dev.finetune.hf.training.token_loss import TokenLossOf, token_losses
from maxaillm.dev.finetune.losses import TargetLoss
from maxaillm.dev.finetune.metrics import Answered

NO_TEMPLATE = Abilities(system=True, tools=False, calls=False, results=True, reasoning=False)
"""What is written where there is no template: texts, one after the other."""


def source_of(messages: Sequence[Message], tools: str | None = None) -> str:
    """What an encoder reads: the turns before the answer, one a line, as they stand."""
    return "\n".join(turn["content"] for turn in written(messages, tools, NO_TEMPLATE).turns)


class PairEncoder(Encoder):
    """What is said before each answer goes in, the answer comes out."""

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        pairs = [pair for number, example in batch for pair in self.pairs(number, example)]
        if not pairs:
            return
        numbers, sources, answers = zip(*pairs, strict=True)
        encoded = self.tokens_of(list(sources)).input_ids
        labels = self.tokens_of(text_target=list(answers)).input_ids
        for number, ids, learned in zip(numbers, encoded, labels, strict=True):
            if len(ids) > self.width or len(learned) > self.width:
                self.cut += 1
                self.lost += sum(max(0, len(part) - self.width) for part in (ids, learned))
            yield from self.kept(Tokens(ids[: self.width], learned[: self.width], number))

    def pairs(self, number: int, example: Any) -> Iterator[tuple[int, str, str]]:
        if not isinstance(example, Conversation):
            self.drop("A row without an answer has nothing to learn.")
            return
        for at, message in enumerate(example.messages):
            if at and message.role == "assistant" and message.weight != 0:
                source = source_of(example.messages[:at], example.tools)
                yield number, source, self.target_of(message)

    def target_of(self, message: Message) -> str:
        """What a decoder is to write: the answer, with its thoughts and calls of tools."""
        thought = message.reasoning if self.learns_reasoning else None
        return source_of([message.model_copy(update={"reasoning": thought})])


class Seq2SeqLM(ModelTask):
    name: ClassVar[str] = "seq2seq_lm"
    aligned: ClassVar[bool] = False
    auto_class: ClassVar[Any] = AutoModelForSeq2SeqLM
    answers: ClassVar[bool] = True

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        return PairEncoder(tokenizer, width).under(self.config.data)

    def streams(self, row: Tokens) -> list[Stream]:
        return [
            Stream("Goes in", row.ids, [False] * len(row.ids)),
            Stream("Comes out", [int(token) for token in row.labels], [True] * len(row.labels)),
        ]

    def collator(self, rows: Rows, tokenizer: Tokenizer, *, packed: bool = False) -> Collator:
        made = PairCollator if packed else LabelCollator
        return made(rows, int(tokenizer.pad_token_id or 0), by_row=False)

    def keeps_rows_apart(self, model: PreTrainedModel) -> bool:
        return keeps_pairs_apart(model)

    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        return Seq2SeqLoss(model, loss, dtype)

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        collator = self.collator(sequences.rows, tokenizer, packed=sequences.packed)
        batches = (
            {**batch, "decoder_input_ids": shifted(model, batch, batch["labels"])}
            for batch in eval_batches(sequences, collator, batch_size)
        )
        forward = PackedPairs(model) if sequences.packed else model
        count = len(sequences.rows)
        return Observed(token_losses(model, batches, count, shifted=False, forward=forward), [])

    def answer(self, model: Any, rows: Rows, tokenizer: Tokenizer) -> list[Answered]:
        """The likeliest answers; greedy, so that no random number is drawn."""
        collator = LabelCollator(rows, int(tokenizer.pad_token_id or 0), by_row=False)
        order = sorted(range(min(len(rows), MAX_ROWS)), key=lambda row: len(rows.tokens[row]))
        numbers = iter(order)
        answered: list[Answered] = []
        while chunk := list(islice(numbers, BATCH)):
            batch = {
                n: torch.from_numpy(v).to(model.device) for n, v in collator.padded(chunk).items()
            }
            longest = max(len(rows.labels[row]) for row in chunk)
            output = model.generate(
                **batch, max_new_tokens=longest + SPARE_TOKENS, do_sample=False, num_beams=1
            )
            texts = tokenizer.batch_decode(output, skip_special_tokens=True)
            wanted = tokenizer.batch_decode(
                [rows.labels[row] for row in chunk], skip_special_tokens=True
            )
            answered += [Answered(text, want) for text, want in zip(texts, wanted, strict=True)]
        return answered

    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        encoded = tokenizer(prompt, return_tensors="pt").to(model.device)
        output = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
        )
        return str(tokenizer.decode(output[0], skip_special_tokens=True)).strip()


class Seq2SeqLoss(TokenLossOf):
    """The decoder sees the answer shifted by one, as the model itself would have it."""

    def __init__(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(model, loss, dtype, shifted=False)
        self.model = model

    def __call__(self, model: Any, inputs: Any, labels: torch.Tensor) -> torch.Tensor:
        told = {**inputs, "decoder_input_ids": shifted(self.model, inputs, labels)}
        return super().__call__(PackedPairs(model) if "readers" in inputs else model, told, labels)


def shifted(model: Any, batch: Any, labels: torch.Tensor) -> torch.Tensor:
    return decoder_inputs(model, labels, batch.get("writers"))


TASK = Seq2SeqLM
