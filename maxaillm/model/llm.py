"""A model that writes text, alone or in answer to another one, whole or piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any, ClassVar, cast

import torch
from pydantic import JsonValue
from torch import Tensor
from transformers import LogitsProcessorList, set_seed

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.batches.chat_template import (
    PromptRefusedError,
    Tools,
    encode_prompt,
    read_chat,
)
from maxaillm.dev.finetune.hf.generation.answer_form import AnswerForm, answer_form
from maxaillm.dev.finetune.hf.generation.answer_parts import AnswerParts
from maxaillm.dev.finetune.hf.generation.call_forms import properties_of
from maxaillm.dev.finetune.hf.generation.penalties import OccurrencePenalties
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.hf.generation.streaming import Finish, TextPieces, made_tokens
from maxaillm.dev.finetune.hf.training.tasks.seq2seq_lm import source_of
from maxaillm.model.loaded import (
    LoadedModel,
    Messages,
    Parts,
    Pieces,
    PromptTooLongError,
    Usage,
    mapped,
)
from maxaillm.model.sampling import SamplingOptions

__all__ = ["MaxHuggingFaceLLM", "PromptTooLongError", "Usage"]


class MaxHuggingFaceLLM(LoadedModel):
    """A causal model, which goes on with a prompt, or an encoder-decoder model, which turns it
    into another text. `max_length` bounds prompt and answer: together, or each by itself.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"causal_lm", "seq2seq_lm"})
    lacks: ClassVar[str] = "it does not write text"

    @property
    def is_encoder_decoder(self) -> bool:
        return self.card.opens_as == "seq2seq_lm"

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        temperature: float = 0.7,
        do_sample: bool = True,  # noqa: FBT001, FBT002 - the specification's signature
    ) -> str:
        """The answer to a prompt; of a model that knows no chat, how the prompt goes on."""
        sampling = SamplingOptions(
            temperature=temperature if do_sample else 0, max_new_tokens=max_new_tokens
        )
        return "".join(self.stream(prompt, sampling))

    def chat(
        self,
        messages: Messages,
        sampling: SamplingOptions | None = None,
        tools: Tools | None = None,
    ) -> str:
        """The assistant's next turn; `tools` are those that it may call, as OpenAI has them."""
        return "".join(self.stream(messages, sampling, tools=tools))

    def stream(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        tools: Tools | None = None,
    ) -> Pieces:
        """Pieces of the answer as they come; the generator returns the Usage.

        A piece never ends inside a character. `should_stop` is asked at each token. Closing
        the generator ends the computation too. Raises PromptTooLongError.
        """
        return (yield from self.pieces(self.encode(prompt, tools), sampling, should_stop))

    def parts(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        tools: Tools | None = None,
    ) -> Parts:
        """Thoughts, text and calls of tools, as the model's chat template writes them."""
        shown = self.encode(prompt, tools)
        answer, words = self.answer_parts(shown["input_ids"][0].tolist(), tools)
        usage = yield from mapped(self.pieces(shown, sampling, should_stop, words), answer.add)
        yield from answer.rest()
        return usage

    def answer_parts(
        self, shown: Sequence[int], tools: Tools | None
    ) -> tuple[AnswerParts, frozenset[str]]:
        """What tells the parts of an answer to these tokens apart, and the special tokens that it
        needs to see."""
        listed = json.loads(tools) if isinstance(tools, str) else tools
        may_be_called = properties_of(listed or ())
        form = self.answer_form if may_be_called else self.answer_form._replace(calls=None)
        asked = self.tokenizer.decode(shown).rstrip()
        opening = form.thought[0] if form.thought else ""
        is_thinking = bool(opening) and asked.endswith(opening)
        answer = AnswerParts(form, may_be_called, is_thinking=is_thinking)
        return answer, form.control_words(self.tokenizer)

    @cached_property
    def answer_form(self) -> AnswerForm:
        """How answers mark what is not text; an encoder-decoder model knows no chat template."""
        return AnswerForm(None, None) if self.is_encoder_decoder else answer_form(self.tokenizer)

    def pieces(
        self,
        shown: Mapping[str, Tensor],
        sampling: SamplingOptions | None,
        should_stop: Callable[[], bool],
        kept: Collection[str] = (),
    ) -> Pieces:
        """The answer to what the model is shown, with those special tokens that are `kept`."""
        sampling = sampling or SamplingOptions()
        encoded = {name: tensor.to(self.device) for name, tensor in shown.items()}
        length = encoded["input_ids"].shape[1]
        room = self.room_behind(length)
        text, finish, count = TextPieces(self.tokenizer, sampling.stop, kept), "length", 0
        ends = end_tokens(self.model, self.tokenizer)
        most = min(sampling.max_new_tokens, self.max_length if self.is_encoder_decoder else room)
        if not most:
            return Usage(length, 0, "length")
        tokens = made_tokens(self.answering, encoded, self.options(sampling, most, ends))
        with closing(tokens):
            for token in tokens:
                count += 1
                if should_stop():
                    finish = "cancelled"
                    break
                if token in ends:
                    finish = "stop"
                    break
                yield from text.add(token)
                if text.is_stopped:
                    finish = "stop"
                    break
        yield from text.rest()
        return Usage(length, count, cast(Finish, finish))

    def answer(
        self, prompt: str, pair: str | None = None, sampling: SamplingOptions | None = None
    ) -> dict[str, JsonValue]:
        """The whole answer, and what it took."""
        if pair is not None:
            raise ModelError("This model takes one text, not two.", "Leave the second one out.")
        stream, pieces = self.stream(prompt, sampling), list[str]()
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                usage = end.value._asdict()
                del usage["judgement"]  # it wrote
                return {"text": "".join(pieces), **usage}

    def encode(self, prompt: str | Messages, tools: Tools | None = None) -> Mapping[str, Tensor]:
        """What the model is shown: an encoder reads a chat as its turns, one a line."""
        if not self.is_encoder_decoder:
            return encode_prompt(self.tokenizer, prompt, tools)
        text = prompt if isinstance(prompt, str) else source_of(*read_chat(prompt, tools))
        is_chat = not isinstance(prompt, str)
        encoded = self.tokenizer(text, return_tensors="pt", split_special_tokens=is_chat)
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}

    def encode_bare(self, prompt: str | Sequence[int]) -> Mapping[str, Tensor]:
        """A prompt as it stands, without a chat template: a text, or its tokens. Raises
        PromptRefusedError."""
        ids = self.tokenizer(prompt).input_ids if isinstance(prompt, str) else list(prompt)
        known = self.model.get_input_embeddings().weight.shape[0]
        if not ids or not all(0 <= id < known for id in ids):
            said = f"has tokens beyond {known - 1:,}" if ids else "is empty"
            raise PromptRefusedError(f"The prompt {said}.", "Send another prompt.")
        tensor = torch.tensor([ids])
        return {"input_ids": tensor, "attention_mask": torch.ones_like(tensor)}

    def prompt_length(self, prompt: str | Messages, tools: Tools | None = None) -> int:
        return int(self.encode(prompt, tools)["input_ids"].shape[1])

    def room_behind(self, length: int, least: int | None = None) -> int:
        """Tokens that fit behind a prompt of so many. Raises PromptTooLongError."""
        room = self.max_length - length
        if room < (self.least_room if least is None else least):
            raise PromptTooLongError(
                f"The prompt has {length} tokens; the model takes {self.max_length}.",
                "Shorten the prompt or start a new conversation.",
            )
        return room

    @property
    def least_room(self) -> int:
        """Tokens that a prompt has to leave free: a decoder of its own has its own room."""
        return 0 if self.is_encoder_decoder else 1

    def options(self, sampling: SamplingOptions, room: int, ends: list[int]) -> dict[str, Any]:
        """The sampling in the words of `generate`."""
        if sampling.seed is not None:
            set_seed(sampling.seed)
        common = {
            "max_new_tokens": room,
            "eos_token_id": ends,
            "pad_token_id": self.tokenizer.pad_token_id,
            "num_beams": 1,  # a piece that was shown can't be taken back
            "use_cache": True,
            "repetition_penalty": sampling.repetition_penalty,
        }
        if sampling.frequency_penalty or sampling.presence_penalty:
            penalties = OccurrencePenalties(sampling.frequency_penalty, sampling.presence_penalty)
            common["logits_processor"] = LogitsProcessorList([penalties])
        if sampling.temperature <= 0:
            return {**common, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {
            **common,
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or 0,
        }
