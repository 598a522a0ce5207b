"""Streaming: tokens and text of an answer while it is being made."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Literal, Self

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

Finish = Literal["stop", "length", "cancelled"]
BROKEN = "\N{REPLACEMENT CHARACTER}"
"""How a decoder shows bytes that are no whole character yet."""


class TokenQueue(BaseStreamer):  # type: ignore[misc]
    """Hands each new token on; the first call brings the prompt and is left out."""

    def __init__(self) -> None:
        self.tokens: SimpleQueue[int | None] = SimpleQueue()
        self.prompt_seen = False

    def put(self, value: Tensor) -> None:
        if self.prompt_seen:
            self.tokens.put(int(value))
        self.prompt_seen = True

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """PEFT copies what `generate` is given, but tokens are to come to this very queue."""
        return self

    def end(self) -> None:
        """The end is told by whoever runs `generate`, after errors too."""


class Cancel(StoppingCriteria):  # type: ignore[misc]
    """Ends `generate` at the next token once the event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """PEFT copies what `generate` is given, but this very event is to be heard."""
        return self

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return torch.full((len(input_ids),), self.event.is_set(), device=input_ids.device)


def made_tokens(
    model: Any, encoded: Mapping[str, Tensor], options: Mapping[str, Any]
) -> Generator[int, None, None]:
    """The tokens that `model.generate` makes, as it makes them. Closing it ends the work."""
    queue, cancelled = TokenQueue(), threading.Event()

    def work() -> None:
        try:
            criteria = [Cancel(cancelled)]
            model.generate(**encoded, **options, streamer=queue, stopping_criteria=criteria)
        finally:
            queue.tokens.put(None)

    with ThreadPoolExecutor(1, thread_name_prefix="generate") as pool:
        future = pool.submit(work)
        try:
            while (token := queue.tokens.get()) is not None:
                yield token
            future.result()
        finally:
            cancelled.set()


def special_tokens(tokenizer: Tokenizer) -> dict[int, str]:
    """Those that a tokenizer names, and those that it was given as special: id -> word."""
    added = tokenizer.added_tokens_decoder.items()
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return {**dict(named), **{id: str(token) for id, token in added if token.special}}


class TextPieces:
    """Turns tokens into text of whole characters and watches for strings that end the answer.
    Special tokens are left out, but for those in `kept`."""

    def __init__(
        self, tokenizer: Tokenizer, stop: Sequence[str] = (), kept: Collection[str] = ()
    ) -> None:
        self.tokenizer, self.stop = tokenizer, [text for text in stop if text]
        self.keeps_some = bool(kept)
        special = special_tokens(tokenizer).items()
        self.dropped = {id for id, word in special if word not in kept}
        self.ids: list[int] = []
        self.shown, self.context = 0, 0
        self.held, self.is_stopped = "", False

    def add(self, token: int) -> Iterator[str]:
        """The text that is certain after `token`."""
        self.ids.append(token)
        before = self.decode(self.ids[self.context : self.shown])
        text = self.decode(self.ids[self.context :])
        if text.endswith(BROKEN):
            return
        self.context, self.shown = self.shown, len(self.ids)
        yield from self.released(text[len(before) :])

    def rest(self) -> Iterator[str]:
        """What was held back, once no more tokens come."""
        if self.is_stopped:
            return
        before = self.decode(self.ids[self.context : self.shown])
        tail = self.decode(self.ids[self.context :])[len(before) :]
        text = "".join(self.released(tail)) + self.held
        self.held = ""
        if text and not self.is_stopped:
            yield text

    def released(self, new: str) -> Iterator[str]:
        """`new` after what was held, up to a stop string or to what may become one."""
        text = self.held + new
        ends = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        self.is_stopped = bool(ends)
        keep = min(ends) if ends else len(text) - self.beginning_of_stop(text)
        self.held = text[keep:]
        if text[:keep]:
            yield text[:keep]

    def beginning_of_stop(self, text: str) -> int:
        """How many characters at the end of `text` a stop string could begin with."""
        lengths = (n for stop in self.stop for n in range(1, len(stop)) if text.endswith(stop[:n]))
        return max(lengths, default=0)

    def decode(self, ids: list[int]) -> str:
        if self.keeps_some:
            ids = [id for id in ids if id not in self.dropped]
        text: str = self.tokenizer.decode(ids, skip_special_tokens=not self.keeps_some)
        return text
