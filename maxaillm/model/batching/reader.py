"""Reading an answer token by token: its text, thoughts and calls of tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maxaillm.dev.finetune.hf.generation.answer_parts import AnswerParts, Part
from maxaillm.dev.finetune.hf.generation.streaming import TextPieces


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
