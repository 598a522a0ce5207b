"""Replays fixed prompts on a trained model and on its export, and compares what they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pydantic import JsonValue

from maxaillm import __version__
from maxaillm.dev.finetune.exports.shared.facts import EXACT, Rounding

Logits = npt.NDArray[np.float32]
"""[positions, vocabulary or classes]"""

PROMPTS = (
    "Once upon a time there was a little",
    "What is 12 + 7?",
    "She said: “Grüße aus Köln, 東京!” 🙂",
    "def mean(numbers):\n    return",
    "The",
)
"""Plain words, digits, many scripts, code and a single word: what tokenizers differ in."""
NEW_TOKENS = 16
LANGUAGE_TASKS = frozenset({"causal_lm", "seq2seq_lm"})
PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "onnx", "onnxscript",
            "onnxruntime", "gguf")  # fmt: skip


class Answer(NamedTuple):
    """What a model makes of a prompt. The last `len(tokens)` rows of the logits chose `tokens`."""

    prompt: str
    ids: list[int]
    logits: Logits
    tokens: list[int]


class Replay(ABC):
    """A model that can be asked, whatever carries it out."""

    @abstractmethod
    def encode(self, prompt: str) -> list[int]:
        """The prompt's tokens, by the tokenizer that comes with the model."""

    @abstractmethod
    def logits(self, ids: list[int], answer: list[int]) -> Logits:
        """The logits for a prompt and, where the task writes, its answer but the last token."""

    @abstractmethod
    def greedy(self, ids: list[int], count: int) -> list[int]:
        """The likeliest answer; the likeliest class of each position where nothing is written."""

    def answer(self, prompt: str, limit: int | None) -> Answer:
        room = (limit or 512) - NEW_TOKENS
        ids = self.encode(prompt)[: max(room, 1)]
        tokens = self.greedy(ids, min(NEW_TOKENS, max((limit or 512) - len(ids), 1)))
        return Answer(prompt, ids, self.logits(ids, tokens), tokens)


class TorchReplay(Replay):
    """A transformers model, with or without an adapter. Each token is computed from the whole
    text before it: slower than with a cache, and right for every kind of model."""

    def __init__(self, model: Any, tokenizer: Any, task: str) -> None:
        self.model, self.tokenizer, self.task = model.eval(), tokenizer, task

    def encode(self, prompt: str) -> list[int]:
        return list(self.tokenizer(prompt).input_ids)

    @torch.inference_mode()
    def logits(self, ids: list[int], answer: list[int]) -> Logits:
        read, said = list(ids), answer[:-1]
        inputs: dict[str, Any] = {}
        if self.task == "causal_lm":
            read += said
        if self.task == "seq2seq_lm":
            start = int(self.model.config.decoder_start_token_id)
            inputs["decoder_input_ids"] = torch.tensor([[start, *said]])
        tokens = torch.tensor([read])
        output = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens), **inputs)
        logits = output.logits[0].float()
        if self.task == "causal_lm":
            logits = logits[-len(read) :]  # prompt tuning puts tokens of its own before ours
        return np.atleast_2d(logits.numpy())

    def greedy(self, ids: list[int], count: int) -> list[int]:
        if self.task not in LANGUAGE_TASKS:
            return [int(token) for token in self.logits(ids, []).argmax(-1)]
        tokens: list[int] = []
        for _ in range(count):
            tokens.append(int(self.logits(ids, [*tokens, 0])[-1].argmax()))
        return tokens


class Difference(NamedTuple):
    """How far two models are from each other on the prompts."""

    logits: float
    """The largest absolute difference."""
    tolerance: float
    tokens_equal: int
    tokens: int
    odd_tokens: int
    """Unequal tokens where the first model was surer than the tolerance explains."""

    @property
    def passed(self) -> bool:
        return self.logits <= self.tolerance and not self.odd_tokens


def answers_of(replay: Replay, limit: int | None) -> list[Answer]:
    """The answers to the prompts that have any token, within `limit` tokens."""
    return [replay.answer(prompt, limit) for prompt in PROMPTS if replay.encode(prompt)]


def compare(
    reference: Sequence[Answer], replay: Replay, found: Sequence[Answer], rounding: Rounding
) -> Difference:
    """Set `found`, the answers of `replay`, against those of the reference; its logits are asked
    for anew where it was shown another text than the reference.

    Greedy answers may part where two tokens were nearer to each other than the tolerance; what
    comes after that says nothing, for the texts differ.
    """
    tolerance = rounding.share * max(1.0, *(spread(answer.logits) for answer in reference))
    apart, equal, odd = 0.0, 0, 0
    for asked, said in zip(reference, found, strict=True):
        same = [a == b for a, b in zip(asked.tokens, said.tokens, strict=True)]
        shown = said.logits if all(same) else replay.logits(asked.ids, asked.tokens)
        apart = max(apart, distance(asked.logits, shown))
        equal += sum(same)
        if not all(same):
            row = asked.logits[same.index(False) - len(asked.tokens)]
            odd += margin(row) > 2 * tolerance
    total = sum(len(asked.tokens) for asked in reference)
    return Difference(apart, tolerance, equal, total, odd)


def distance(expected: Logits, found: Logits) -> float:
    """The largest absolute difference; infinite where shapes differ or a value is no number."""
    if expected.shape != found.shape:
        return float("inf")
    apart = float(np.abs(expected - found).max())
    return apart if np.isfinite(apart) else float("inf")


def spread(logits: Logits) -> float:
    """How far the likeliest choice stands out: the scale on which a difference is small."""
    return float((logits.max(-1) - np.median(logits, -1)).max())


def margin(logits: Logits) -> float:
    """By how much the likeliest choice beats the next."""
    first, second = np.sort(logits)[-1], np.sort(logits)[-2:][0]
    return float(first - second)


def differing(
    reference: Sequence[Answer], found: Sequence[Answer], words: Callable[[list[int]], str]
) -> list[JsonValue]:
    """The prompts that an export answers in another way than the trained model, each with both
    answers and the first token, from 1, that is another one."""
    return [
        {
            "prompt": asked.prompt,
            "model": words(asked.tokens),
            "export": words(said.tokens),
            "first_token": 1 + first_odd(asked.tokens, said.tokens),
        }
        for asked, said in zip(reference, found, strict=True)
        if asked.tokens != said.tokens
    ]


def first_odd(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def parity_report(
    written: Difference, rounded: Difference, rounding: Rounding, odd: list[JsonValue]
) -> dict[str, JsonValue]:
    """`parity.json`: the export against the weights that were written, and those against the
    trained model; `odd` are the prompts that the export answers in another way."""
    return {
        "passed": written.passed and rounded.logits <= rounded.tolerance,
        "max_logit_difference": finite(written.logits),
        "tolerance": written.tolerance,
        "tokens_equal": written.tokens_equal,
        "tokens": written.tokens,
        "tolerance_reason": EXACT.why,
        "rounding": {
            "max_logit_difference": finite(rounded.logits),
            "tolerance": rounded.tolerance,
            "tokens_equal": rounded.tokens_equal,
            "tokens": rounded.tokens,
            "tolerance_reason": rounding.why,
        },
        "prompts": list(PROMPTS),
        "differing": odd,
        "versions": {"maxaillm": __version__, **installed_versions()},
    }


def finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def installed_versions() -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
