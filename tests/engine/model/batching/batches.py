"""What tests of batches share: tiny models of several families, and answers made in batches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import torch
import transformers

from maxaillm.dev.finetune.hf.generation.penalties import OccurrencePenalties
from maxaillm.dev.finetune.hf.generation.streaming import TextPieces
from maxaillm.model.batching.adapters import AdapterPool
from maxaillm.model.batching.batched_answer import AnswerReader, BatchedAnswer
from maxaillm.model.batching.engine import BatchEngine
from maxaillm.model.batching.logprobs import TokenWords
from maxaillm.model.batching.sampler import Sampler
from maxaillm.model.batching.structure import Grammars
from maxaillm.model.batching.support import twin_of
from maxaillm.model.sampling import SamplingOptions
from tests.families import DECODER
from tests.tiny import SIZE, save_tokenizer

BUDGET = 10**9
GPT2 = {"vocab_size": SIZE + 3, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", DECODER),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", GPT2),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", DECODER),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {**DECODER, "head_dim": 8}),
    "mistral": ("MistralConfig", "MistralForCausalLM", {**DECODER, "sliding_window": 8}),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", {**DECODER, "head_dim": 8}),
    "gemma3": (
        "Gemma3TextConfig",
        "Gemma3ForCausalLM",
        {**DECODER, "head_dim": 8, "sliding_window": 8},
    ),
    "phi": ("PhiConfig", "PhiForCausalLM", DECODER),
}


class Asked(NamedTuple):
    """A prompt, how its answer is drawn, and by which adapter."""

    prompt: list[int]
    options: SamplingOptions
    adapter: str | None = None


@cache
def model_of(kind: str) -> Any:
    """Weights far from zero, so that no two tokens are about as likely."""
    config, model, settings = KINDS[kind]
    torch.manual_seed(0)
    made = getattr(transformers, model)(
        getattr(transformers, config)(**{**settings, "initializer_range": 0.3})
    )
    made.generation_config.eos_token_id = None
    return made.eval()


@cache
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(save_tokenizer(Path(mkdtemp())))


@cache
def twin(kind: str) -> Any:
    return twin_of(model_of(kind))


def engine_of(kind: str) -> BatchEngine:
    return engine_on(twin(kind))


def engine_on(model: Any) -> BatchEngine:
    return BatchEngine(model, TokenWords(tokenizer()), AdapterPool(model, BUDGET), BUDGET)


def answer_to(asked: Asked, *, echo: bool = False, ends: Iterable[int] = ()) -> BatchedAnswer:
    prompt, options, adapter = asked
    grammars = Grammars(tokenizer(), SIZE + 3, list(ends))
    return BatchedAnswer(
        prompt,
        Sampler(options, prompt, grammars.matcher(options)),
        AnswerReader(TextPieces(tokenizer(), options.stop)),
        most=options.max_new_tokens,
        ends=list(ends),
        adapter=adapter,
        echo=echo,
    )


def work_off(engine: BatchEngine) -> None:
    while engine.answers:
        engine.step()


def generated(model: Any, asked: Asked) -> list[int]:
    """Prompt and answer by transformers' own `generate`."""
    prompt, options, _ = asked
    drawn: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if options.temperature:
        drawn = {
            "do_sample": True,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "top_k": options.top_k or 0,
        }
        transformers.set_seed(options.seed)
    if options.frequency_penalty or options.presence_penalty:
        penalties = OccurrencePenalties(options.frequency_penalty, options.presence_penalty)
        drawn["logits_processor"] = transformers.LogitsProcessorList([penalties])
    made = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=options.max_new_tokens,
        repetition_penalty=options.repetition_penalty,
        pad_token_id=0,
        **drawn,
    )
    tokens: list[int] = made[0].tolist()
    return tokens
