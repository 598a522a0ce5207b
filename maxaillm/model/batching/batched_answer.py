"""An answer in a batch: its prompt, how its tokens are drawn, and how far it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from maxaillm.dev.finetune.hf.generation.answer_parts import AnswerParts, Part
from maxaillm.dev.finetune.hf.generation.streaming import Finish, TextPieces
from maxaillm.model.batching.contract import Answer
from maxaillm.model.batching.sampler import Sampler
from maxaillm.model.logprobs import TokenLogprob


class AnswerReader:
    """Turns tokens into parts. `parts` tells thoughts and calls from text; None: all is text."""

    def __init__(self, text: TextPieces, parts: AnswerParts | None = None) -> None:
        self.text, self.parts = text, parts

    @property
    def is_stopped(self) -> bool:
        """Whether a stop word has come."""
        return self.text.is_stopped

    def add(self, token: int) -> list[Part]:
        """What is certain after a token."""
        return list(self.told(self.text.add(token)))

    def rest(self) -> list[Part]:
        """What was held back, once no more tokens come."""
        made = list(self.told(self.text.rest()))
        return made + list(self.parts.rest()) if self.parts else made

    def told(self, texts: Iterable[str]) -> Iterator[Part]:
        for text in texts:
            if self.parts is None:
                yield Part("text", text)
            else:
                yield from self.parts.add(text)


class BatchedAnswer(Answer):
    """Goes on from the tokens of `prompt`, by `most` tokens at most, until one of `ends`.

    `adapter`: the name of one that the engine holds. `echo`: whether the log probabilities of the
    prompt's own tokens are wanted; `top`: how many likeliest ones come with each, None for none.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        sampler: Sampler,
        reader: AnswerReader,
        *,
        most: int,
        ends: Collection[int] = (),
        adapter: str | None = None,
        echo: bool = False,
    ) -> None:
        super().__init__(len(prompt))
        self.tokens = list(prompt)
        """The prompt, and what was made."""
        self.sampler, self.reader = sampler, reader
        self.most, self.ends = most, frozenset(ends)
        self.adapter, self.echo = adapter, echo
        self.top = sampler.options.logprobs
        self.cached = 0
        """How many tokens have their keys and values in the slot."""

    @property
    def remaining(self) -> int:
        """Tokens of the prompt that the model has not seen yet."""
        return self.prompt_tokens - self.cached

    @property
    def length(self) -> int:
        """Positions that it takes at most."""
        return self.prompt_tokens + self.most

    def take(self, token: int, logprob: TokenLogprob | None) -> None:
        """Go on by a token, or end with it."""
        self.completion_tokens += 1
        self.tokens.append(token)
        if logprob is not None:
            self.logprobs.append(logprob)
        goes_on = self.sampler.note(token)
        if token in self.ends:
            self.end("stop")
            return
        self.parts += self.reader.add(token)
        if self.reader.is_stopped or not goes_on:
            self.end("stop")
        elif self.completion_tokens >= self.most:
            self.end("length")

    def end(self, finish: Finish) -> None:
        self.finish = finish
        self.parts += self.reader.rest()
