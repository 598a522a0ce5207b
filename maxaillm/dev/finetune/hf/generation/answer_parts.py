"""Parts of an answer, told apart while it is being made: thoughts, text and calls of tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.dev.finetune.hf.generation.answer_form import AnswerForm
from maxaillm.dev.finetune.hf.generation.call_forms import Properties

JSON_BEGINS = r"\s*(?=\{\s*(?:\"|\Z)|\[\s*(?:\{|\Z))"
BARE, BARE_START = re.compile(rf"\n{JSON_BEGINS}"), re.compile(JSON_BEGINS)
"""Where a call may begin that is nothing but JSON: on a line of its own."""


class Part(NamedTuple):
    """A piece of an answer."""

    kind: Literal["text", "reasoning", "call"]
    text: str = ""
    call: ToolCall | None = None


class AnswerParts:
    """Takes an answer piece by piece. What is not well-formed stays text: but for white space
    around thoughts and calls, and for their marks, nothing of the answer is left out.

    `tools`: what may be called; nothing is a call where there are none. `is_thinking`: the prompt
    ends with the beginning of a thought.
    """

    def __init__(self, form: AnswerForm, tools: Properties, *, is_thinking: bool = False) -> None:
        self.thought = form.thought
        self.calls = form.calls if tools else None
        self.tools = tools
        self.held = ""
        self.state: Literal["start", "thought", "text"] = "start" if self.thought else "text"
        if self.thought and is_thinking:
            self.state = "thought"
        self.is_fresh = is_thinking
        """Whether white space that comes now stands around a thought or a call."""
        self.has_text = False

    def add(self, text: str) -> Iterator[Part]:
        """The parts that are certain after `text`."""
        self.held += text
        yield from self.certain(is_whole=False)

    def rest(self) -> Iterator[Part]:
        """What was held back, once the answer is over."""
        yield from self.certain(is_whole=True)

    def certain(self, *, is_whole: bool) -> Iterator[Part]:
        if self.state == "start":
            self.begin(is_whole=is_whole)
        if self.state == "thought":
            yield from self.thoughts(is_whole=is_whole)
        if self.state == "text":
            yield from self.texts(is_whole=is_whole)

    def begin(self, *, is_whole: bool) -> None:
        """Find out whether the answer begins with a thought."""
        assert self.thought
        opening, text = self.thought[0], self.held.lstrip()
        if opening and text.startswith(opening):
            self.held, self.state, self.is_fresh = text[len(opening) :], "thought", True
        elif is_whole or not opening.startswith(text) or not opening:
            self.state = "text"

    def thoughts(self, *, is_whole: bool) -> Iterator[Part]:
        assert self.thought
        thought, closed, rest = self.held.partition(self.thought[1])
        if closed:
            yield from self.said("reasoning", thought.rstrip())
            self.held, self.state, self.is_fresh = rest, "text", True
        else:
            yield from self.take("reasoning", self.certain_length(self.thought[1], is_whole))

    def texts(self, *, is_whole: bool) -> Iterator[Part]:
        start = 0
        while self.calls and (at := self.next_marker(start)) >= 0:
            found = self.calls.read(self.held, at, self.tools, is_whole=is_whole)
            if found:
                yield from self.said("text", self.held[:at].rstrip())
                yield from (Part("call", call=call) for call in found.calls)
                self.held, self.is_fresh, start = self.held[found.end :], True, 0
            elif is_whole:
                start = at + 1
            else:
                yield from self.take("text", len(self.held[:at].rstrip()))
                return
        marker = self.calls.marker if self.calls else ""
        is_free = is_whole or self.calls is None
        yield from self.take("text", self.certain_length(marker, is_free))

    def next_marker(self, start: int) -> int:
        """Where the next call may begin; -1: nowhere."""
        assert self.calls
        if self.calls.marker:
            return self.held.find(self.calls.marker, start)
        if not start and not self.has_text and (found := BARE_START.match(self.held)):
            return found.end()
        found = BARE.search(self.held, start)
        return found.end() if found else -1

    def certain_length(self, marker: str, is_whole: bool) -> int:  # noqa: FBT001
        """How much of what is held is none of `marker`, nor white space that stands before it."""
        if is_whole:
            return len(self.held)
        begun = (n for n in range(len(marker) - 1, 0, -1) if self.held.endswith(marker[:n]))
        return len(self.held[: len(self.held) - next(begun, 0)].rstrip())

    def take(self, kind: Literal["text", "reasoning"], length: int) -> Iterator[Part]:
        text, self.held = self.held[:length], self.held[length:]
        yield from self.said(kind, text)

    def said(self, kind: Literal["text", "reasoning"], text: str) -> Iterator[Part]:
        if self.is_fresh:
            text = text.lstrip()
        if text:
            self.is_fresh, self.has_text = False, kind == "text"
            yield Part(kind, text)
