"""What an engine is to whoever asks it: answers join, and each step brings them further.

`engine.BatchEngine` fulfils it with one forward pass for all, `serial.SerialEngine` with one answer
after the other. Another library's engine fits in by the same four names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pydantic import JsonValue

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.hf.generation.answer_parts import Part
from maxaillm.dev.finetune.hf.generation.streaming import Finish
from maxaillm.model.logprobs import TokenLogprob


class Answer:
    """An answer that is being made. `finish` says how it ended, once it has."""

    def __init__(self, prompt_tokens: int = 0) -> None:
        self.prompt_tokens, self.completion_tokens = prompt_tokens, 0
        self.finish: Finish | None = None
        self.error: FineTuneError | None = None
        """Why it ended before it was whole."""
        self.parts: list[Part] = []
        """What came since somebody took it."""
        self.logprobs: list[TokenLogprob] = []
        self.prompt_logprobs: list[TokenLogprob] = []
        self.judgement: dict[str, JsonValue] | None = None

    def fail(self, error: FineTuneError) -> None:
        """End it with what went wrong."""
        self.finish, self.error = "cancelled", error

    def taken(self) -> list[Part]:
        """The parts that came since this was last asked."""
        parts, self.parts = self.parts, []
        return parts


Kind_contra = TypeVar("Kind_contra", bound=Answer, contravariant=True)


class Engine(Protocol[Kind_contra]):
    """Makes answers of one loaded model. Not to be asked by two threads at once."""

    def join(self, answer: Kind_contra) -> None:
        """Have an answer made as soon as there is room for it."""

    def leave(self, answer: Kind_contra) -> None:
        """End an answer that is waiting or being made, as cancelled."""

    def step(self) -> None:
        """Bring the answers further, by about a token each."""

    def fail(self, error: FineTuneError) -> None:
        """End all answers with what went wrong."""

    @property
    def answers(self) -> Sequence[Answer]:
        """Those that wait or are being made."""
