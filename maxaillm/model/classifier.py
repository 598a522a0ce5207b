"""Models that judge texts: classes, numbers, a class for each word, words for gaps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from peft import PeftModel
from pydantic import JsonValue
from torch import Tensor
from torch.nn.functional import normalize

from maxaillm.dev.finetune.errors import DataError, FineTuneError
from maxaillm.dev.finetune.hf.batches.chat_template import PromptRefusedError, Tools
from maxaillm.dev.finetune.hf.batches.collate import pad
from maxaillm.model.loaded import LoadedModel, Messages, Pieces, Usage
from maxaillm.model.sampling import SamplingOptions

BATCH = 32
SHOWN = 5
"""Classes, or words for a gap, that are shown of many."""


class Label(NamedTuple):
    """A class, or a word for a gap, and how likely it is."""

    label: str
    probability: float


class Word(NamedTuple):
    """A word of a text with its likeliest class."""

    word: str
    label: str
    probability: float


Pair = tuple[str, str]
"""Two texts that are judged together."""


class Classifier(LoadedModel):
    """A model that says something of a text. `cut` counts the texts that were too long for it:
    what lies behind their beginning was not seen."""

    lacks: ClassVar[str] = "it does not judge texts like this"
    cut = 0

    @abstractmethod
    def predict(self, texts: Sequence[Any]) -> Sequence[Any]:
        """What the model says of each text."""

    @abstractmethod
    def told(self, said: Any) -> str:
        """One of `predict`'s for a person to read."""

    @abstractmethod
    def as_json(self, said: Any) -> dict[str, JsonValue]:
        """One of `predict`'s for a program to read."""

    def prompt_length(self, prompt: str | Messages) -> int:
        return min(len(self.tokenizer(last_text(prompt)).input_ids), self.max_length)

    def stream(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        tools: Tools | None = None,
    ) -> Pieces:
        """What is said of the last message, in one piece. Raises PromptRefusedError for tools."""
        if tools:
            raise PromptRefusedError(
                "This model judges texts and calls no tools.", "Leave the tools out."
            )
        cut, said = self.cut, self.predict([last_text(prompt)])[0]
        length = self.prompt_length(prompt)
        if should_stop():
            return Usage(length, 0, "cancelled")
        yield self.told(said)
        return Usage(length, 0, "stop", {**self.as_json(said), "cut": self.cut > cut})

    def answer(
        self, prompt: str, pair: str | None = None, sampling: SamplingOptions | None = None
    ) -> dict[str, JsonValue]:
        cut = self.cut
        said = self.predict([prompt if pair is None else (prompt, pair)])[0]
        return {**self.as_json(said), "cut": self.cut > cut}

    @torch.no_grad()
    def embed(self, texts: Sequence[str | Sequence[int]]) -> list[list[float]]:
        """A vector of length 1 of each text, or its tokens: the mean of the last hidden states
        (Reimers and Gurevych 2019). Counts in `cut` what the model did not see the end of."""
        rows = [self.tokens_of(text) for text in texts]
        body = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        made: list[list[float]] = [[] for _ in rows]
        for numbers, inputs in self.padded(rows):
            states = body.base_model(**inputs).last_hidden_state.float()
            used = inputs["attention_mask"][:, :, None]
            means = (states * used).sum(1) / used.sum(1)
            for number, vector in zip(numbers, normalize(means).tolist(), strict=True):
                made[number] = vector
        return made

    def tokens_of(self, text: str | Sequence[int]) -> list[int]:
        """As many tokens as the model sees. Raises DataError for none, and for unknown ones."""
        ids = list(self.tokenizer(text).input_ids if isinstance(text, str) else text)
        known = self.model.get_input_embeddings().weight.shape[0]
        if not ids or max(ids) >= known:
            raise DataError("A text is empty, or has unknown tokens.", "Send other texts.")
        self.cut += len(ids) > self.max_length
        return ids[: self.max_length]

    def shortened(self, texts: Sequence[Any], **options: Any) -> Any:
        """The tokens of each text, as many as the model sees."""
        whole = self.tokenizer(list(texts), **options).input_ids
        self.cut += sum(len(ids) > self.max_length for ids in whole)
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_length, **options)

    @torch.no_grad()
    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, Tensor]]:
        """(number of the row, its logits: of the whole, or [tokens, ...]), long rows first."""
        for numbers, tensors in self.padded(rows):
            logits = self.answering(**tensors).logits.float().cpu()
            if logits.dim() == 3:
                logits = logits[:, -tensors["input_ids"].shape[1] :]  # after virtual tokens
            for number, row in zip(numbers, logits, strict=True):
                yield number, row[: len(rows[number])] if logits.dim() == 3 else row

    def padded(
        self, rows: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        """(numbers of rows, what the model is shown of them), long rows first."""
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
        for at in range(0, len(order), BATCH):
            numbers = order[at : at + BATCH]
            ids, used = pad(
                [np.array(rows[n]) for n in numbers], int(self.tokenizer.pad_token_id or 0)
            )
            inputs = {"input_ids": ids, "attention_mask": used}
            yield numbers, {name: torch.from_numpy(v).to(self.device) for name, v in inputs.items()}


class SequenceClassifier(Classifier):
    """Says a text's class, its classes or its number. A text may be a pair of texts."""

    tasks: ClassVar[frozenset[str]] = frozenset({"sequence_classification"})

    def predict(self, texts: Sequence[str | Pair]) -> list[list[Label] | float]:
        """Of each text all classes, the likeliest first, each by itself where a text may have
        several; or the number."""
        rows: list[list[int]] = [[] for _ in texts]
        for paired in (False, True):  # a tokenizer takes only one kind at once
            chosen = [n for n, text in enumerate(texts) if isinstance(text, tuple) is paired]
            if chosen:
                encoded = self.shortened([texts[n] for n in chosen])
                for number, ids in zip(chosen, encoded.input_ids, strict=True):
                    rows[number] = ids
        if empty := [number for number, ids in enumerate(rows) if not ids]:
            raise DataError(f"Text {empty[0] + 1} is empty.", "Write something to be judged.")
        said: list[list[Label] | float] = [[] for _ in texts]
        for number, logits in self.logits(rows):
            said[number] = self.read(logits)
        return said

    def read(self, logits: Tensor) -> list[Label] | float:
        if self.card.problem == "regression":
            return float(logits[0])
        several = self.card.problem == "multi_label_classification"
        return ranked(self.card.labels, logits.sigmoid() if several else logits.softmax(-1))

    def told(self, said: list[Label] | float) -> str:
        return f"{said:.4g}" if isinstance(said, float) else shown(said)

    def as_json(self, said: list[Label] | float) -> dict[str, JsonValue]:
        if isinstance(said, float):
            return {"score": said}
        return {"labels": [label._asdict() for label in said]}


class TokenClassifier(Classifier):
    """Says the class of each word."""

    tasks: ClassVar[frozenset[str]] = frozenset({"token_classification"})

    def predict(self, texts: Sequence[str | Sequence[str]]) -> list[list[Word]]:
        """Of each text, or list of words, its words with their likeliest classes, as far as the
        model sees them. A word's class is that of its first piece, as it was learned."""
        words = [text.split() if isinstance(text, str) else list(text) for text in texts]
        encoded = self.shortened(words, is_split_into_words=True)
        said: list[list[Word]] = [[] for _ in texts]
        for number, logits in self.logits(encoded.input_ids):
            shares, best = logits.softmax(-1).max(-1)
            before = None
            for at, owner in enumerate(encoded.word_ids(number)):
                if owner is not None and owner != before:
                    label = self.card.labels[int(best[at])]
                    said[number].append(Word(words[number][owner], label, float(shares[at])))
                before = owner
        return said

    def told(self, said: list[Word]) -> str:
        return " ".join(f"{word.word}/{word.label}" for word in said)

    def as_json(self, said: list[Word]) -> dict[str, JsonValue]:
        return {"words": [word._asdict() for word in said]}


class GapFiller(Classifier):
    """Says which words fit into the gaps of a text, each written as the tokenizer's mask."""

    tasks: ClassVar[frozenset[str]] = frozenset({"masked_lm"})

    def predict(self, texts: Sequence[str]) -> list[list[list[Label]]]:
        """Of each text, of each of its gaps the likeliest words."""
        mask, rows = self.tokenizer.mask_token_id, self.shortened(texts).input_ids
        said: list[list[list[Label]]] = [[] for _ in texts]
        for number, logits in self.logits(rows):
            for at in (at for at, token in enumerate(rows[number]) if token == mask):
                shares, tokens = logits[at].softmax(-1).topk(SHOWN)
                words = [self.tokenizer.decode([token]).strip() for token in tokens.tolist()]
                said[number].append(ranked(words, shares))
        return said

    def told(self, said: list[list[Label]]) -> str:
        """A line a gap."""
        if not said:
            raise FineTuneError(
                "The text has no gap to fill.",
                f"Write {self.tokenizer.mask_token} where a word is missing.",
            )
        return "\n".join(shown(words) for words in said)

    def as_json(self, said: list[list[Label]]) -> dict[str, JsonValue]:
        return {"gaps": [[word._asdict() for word in words] for words in said]}


def ranked(names: Sequence[str], shares: Tensor) -> list[Label]:
    """The likeliest first."""
    order = shares.argsort(descending=True, stable=True).tolist()
    return [Label(names[number], float(shares[number])) for number in order]


def shown(labels: Sequence[Label]) -> str:
    return ", ".join(f"{label.label} {label.probability:.1%}" for label in labels[:SHOWN])


def last_text(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """A chat's last message: what was said before it does not count for a judgement."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]
