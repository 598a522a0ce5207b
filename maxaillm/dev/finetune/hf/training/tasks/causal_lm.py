"""Causal language models: each position says the next token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.batches.chat_template import (
    Rendered,
    Span,
    UnfitConversationError,
    render,
    template_of,
)
from maxaillm.dev.finetune.hf.batches.collate import Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.generation.answers import answer_rows
from maxaillm.dev.finetune.hf.generation.sampling import answer
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, Objective, Observed
from maxaillm.dev.finetune.hf.training.token_loss import TokenLossOf, token_losses
from maxaillm.dev.finetune.losses import TargetLoss
from maxaillm.dev.finetune.metrics import Answered
from maxaillm.dev.finetune.tasks import architectures, is_causal


class CausalEncoder(Encoder):
    """Conversations by the chat template, documents as they stand."""

    def __init__(self, tokenizer: Tokenizer, width: int, train_on: str) -> None:
        super().__init__(tokenizer, width)
        self.train_on = train_on

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        texts = [(number, example) for number, example in batch if isinstance(example, Text)]
        chats = [(n, example) for n, example in batch if isinstance(example, Conversation)]
        yield from self.documents(texts)
        yield from self.conversations(chats)
        self.drop(
            "A row with a class has no answer to learn.", len(batch) - len(texts) - len(chats)
        )

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
                yield from self.kept(Tokens(chunk, [IGNORED, *chunk[1:]], number))

    def conversations(self, chats: list[tuple[int, Conversation]]) -> Iterator[Tokens]:
        if chats:
            self.tokenizer.chat_template = template_of(self.tokenizer)
        rendered: list[tuple[int, Rendered]] = []
        for number, chat in chats:
            try:
                rendered.append((number, render(self.tokenizer, chat.messages)))
            except UnfitConversationError as error:
                self.drop(str(error))
        if not rendered:
            return
        texts = [text for _, (text, _) in rendered]
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        for (number, (text, answers)), ids, offsets in zip(
            rendered, encoded.input_ids, encoded.offset_mapping, strict=True
        ):
            spans = answers if self.train_on == "answers" else [(0, len(text))]
            labels = learned_of(ids, [at for at, _ in offsets], spans)
            labels[:1] = [IGNORED]  # nothing comes before it
            yield from self.kept(self.shortened(Tokens(ids, labels, number)))


def learned_of(ids: list[int], starts: list[int], spans: list[Span]) -> list[int]:
    """The tokens that begin in one of the spans; of the others, that they are not learned."""
    places = np.array(starts)
    learned = np.zeros(len(ids), bool)
    for start, end in spans:
        learned |= (places >= start) & (places < end)
    labels: list[int] = np.where(learned, ids, IGNORED).tolist()
    return labels


class CausalLM(ModelTask):
    name: ClassVar[str] = "causal_lm"
    auto_class: ClassVar[Any] = AutoModelForCausalLM
    answers: ClassVar[bool] = True

    def check_model(self, name: str, settings: Mapping[str, Any]) -> None:
        """An encoder sees what comes after a token: made to write, it would copy."""
        super().check_model(name, settings)
        if architectures(settings) and not is_causal(settings):
            what = architectures(settings)[0]
            raise ModelError(
                f"{name} is a {what}: it does not go on with a text token by token.",
                "Choose a causal language model, such as a Llama, Qwen or GPT-2.",
            )

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        return CausalEncoder(tokenizer, width, self.config.data.train_on)

    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        return TokenLossOf(model, loss, dtype)

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        collator = self.collator(sequences.rows, tokenizer, packed=sequences.packed)
        batches = eval_batches(sequences, collator, batch_size)
        return Observed(token_losses(model, batches, len(sequences.rows)), [])

    def answer(self, model: Any, rows: Rows, tokenizer: Tokenizer) -> list[Answered]:
        return answer_rows(model, tokenizer, rows)

    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        return answer(model, tokenizer, prompt, max_new_tokens)


TASK = CausalLM
