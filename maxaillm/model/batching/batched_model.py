"""A loaded language model that answers in batches, and the adapters that lie on it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from maxaillm.dev.finetune.hf.batches.chat_template import Tools
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.hf.generation.streaming import TextPieces
from maxaillm.model.batching.adapter_files import LoraAdapter, read_lora
from maxaillm.model.batching.adapters import AdapterPool
from maxaillm.model.batching.batched_answer import AnswerReader, BatchedAnswer
from maxaillm.model.batching.engine import BatchEngine
from maxaillm.model.batching.logprobs import TokenWords
from maxaillm.model.batching.sampler import Sampler
from maxaillm.model.batching.structure import Grammars
from maxaillm.model.batching.support import twin_of
from maxaillm.model.llm import MaxHuggingFaceLLM
from maxaillm.model.sampling import SamplingOptions
from maxaillm.model.source import require_base


class Shape(NamedTuple):
    """What an answer is to be like. `is_split`: thoughts and calls of `tools` are told apart."""

    sampling: SamplingOptions
    tools: Tools | None = None
    is_split: bool = False
    echo: bool = False


class BatchedModel:
    """Shares the weights of `llm`, which has no adapter laid on. Raises UnbatchableError.

    Answers are readied by any thread, but joined and made by one: it has a tokenizer of its own,
    as tokenizers are not to be used by two threads at once. `budget_bytes` is for keys and values,
    and as much once more for adapters.
    """

    def __init__(self, llm: MaxHuggingFaceLLM, budget_bytes: int) -> None:
        self.llm = llm
        twin = twin_of(llm.model)
        self.tokenizer = deepcopy(llm.tokenizer)
        self.ends = end_tokens(llm.model, llm.tokenizer)
        self.pool = AdapterPool(twin, budget_bytes)
        self.engine = BatchEngine(twin, TokenWords(self.tokenizer), self.pool, budget_bytes)
        self.grammars = Grammars(llm.tokenizer, self.engine.vocabulary, self.ends)
        self.grammar_lock = threading.Lock()
        self.device = llm.device

    def read_adapter(self, folder: Path) -> LoraAdapter:
        """Raises UnbatchableError, and OtherBaseError where it belongs on another base."""
        require_base(folder, self.llm.base_folder, any_base=self.llm.any_base)
        adapter = read_lora(folder, self.device)
        for path, factors in adapter.layers.items():
            self.pool.module(path, factors)
        return adapter

    def add_adapter(self, name: str, adapter: LoraAdapter) -> None:
        """Raises UnbatchableError."""
        if name not in self.pool.held:
            self.engine.beginnings.forget(name)
            in_use = {answer.adapter for answer in self.engine.answers if answer.adapter}
            self.pool.add(name, adapter, in_use)

    def answer(
        self, shown: Mapping[str, Tensor], shape: Shape, adapter: str | None = None
    ) -> BatchedAnswer:
        """An answer that may join the engine. Raises PromptTooLongError, SchemaRefusedError."""
        ids = [int(id) for id in shown["input_ids"][0]]
        sampling = shape.sampling
        room = self.llm.room_behind(len(ids), least=min(1, sampling.max_new_tokens))
        with self.grammar_lock:
            matcher = self.grammars.matcher(sampling)
        parts, kept = None, frozenset[str]()
        if shape.is_split:
            parts, kept = self.llm.answer_parts(ids, shape.tools)
        text = TextPieces(self.tokenizer, sampling.stop, kept)
        return BatchedAnswer(
            ids,
            Sampler(sampling, ids, matcher, self.device.type),
            AnswerReader(text, parts),
            most=min(sampling.max_new_tokens, room),
            ends=self.ends,
            adapter=adapter,
            echo=shape.echo,
        )
