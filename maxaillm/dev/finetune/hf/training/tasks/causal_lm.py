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
    Template,
    UnfitConversationError,
    template_of,
)
from maxaillm.dev.finetune.hf.batches.collate import Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.control_words import encode
from maxaillm.dev.finetune.hf.batches.mending import mending_of
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
            "A row with a class has no answer to learn.",
            len(batch) - len(texts) - len(chats),
            "Leave task out: such rows are for a classifier.",
        )

    def documents(self, texts: list[tuple[int, Text]]) -> Iterator[Tokens]:
        """Every token is learned and EOS follows; a long document becomes several rows, which
        overlap by the one token that a row can't learn."""
        if not texts:
            return
        width, eos = self.width, self.tokenizer.eos_token_id
        encoded = self.tokens_of([text.text for _, text in texts]).input_ids
        for (number, _), ids in zip(texts, encoded, strict=True):
            whole = ids if eos is None or ids[-1:] == [eos] else [*ids, eos]
            for start in range(0, max(len(whole) - 1, 1), width - 1):
                chunk = whole[start : start + width]
                yield from self.kept(Tokens(chunk, [IGNORED, *chunk[1:]], number))

    def conversations(self, chats: list[tuple[int, Conversation]]) -> Iterator[Tokens]:
        rendered = list(self.rendered(chats))
        if not rendered:
            return
        encoded = encode(self.tokenizer, [chat.text for _, chat in rendered])
        for (number, (text, answers, in_texts, partial)), (ids, starts) in zip(
            rendered, encoded, strict=True
        ):
            self.in_texts.update(in_texts)
            self.partial += partial
            spans = answers if self.train_on == "answers" else [(0, len(text))]
            labels = learned_of(ids, starts, spans)
            labels[:1] = [IGNORED]  # nothing comes before it
            whole = Tokens(ids, labels, number)
            yield from self.kept(self.shortened(whole), whole)

    def rendered(self, chats: list[tuple[int, Conversation]]) -> Iterator[tuple[int, Rendered]]:
        """The conversations that the chat template takes."""
        if not chats:
            return
        self.tokenizer.chat_template = template_of(self.tokenizer)
        template = Template(
            self.tokenizer, keeps_text=self.keeps_text, learns_reasoning=self.learns_reasoning
        )
        for number, chat in chats:
            try:
                yield number, template.render(chat.messages, chat.tools)
            except UnfitConversationError as error:
                reason = str(error)
                self.drop(reason, hint=self.hints.get(reason) or mending_of(template, chat))


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
        data = self.config.data
        return CausalEncoder(tokenizer, width, data.train_on).under(data)

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
