"""Tool calls that nothing answers, and answers of tools that nothing called for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.text_search import hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn

Turn = Mapping[str, Any]
Turns = Sequence[Turn]
CALL = re.compile(
    r"""["'](?:arguments|parameters|function)["']\s*:|<tool_call>|<functioncall>|<\|tool_call"""
)
NAME = re.compile(r"""["'](?:name|function)["']\s*:|<tool_call>|<functioncall>""")


@checks.register
class ToolCalls(Check):
    """A conversation may end with a call where all of them do: choosing the tool is the task."""

    label: ClassVar[str] = "Tool calls without an answer"
    why: ClassVar[str] = "The model learns to go on without having read what the tool found."
    advice: ClassVar[str] = "Add the tool's answer, or drop the row."
    fix: ClassVar[str | None] = "drop_rows"
    codes: ClassVar[frozenset[str]] = frozenset({"unclosed_tool_calls", "tool_without_call"})

    name: Literal["tool_calls"] = "tool_calls"
    _ends_with_call: list[int] = PrivateAttr(default_factory=list)
    _answered: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        for dialogue in batch.kind.columns_of(DialogueColumn):
            for place in might_call(batch):
                yield from self.look_at(batch.numbers[place], batch.examples[place][dialogue.name])

    def look_at(self, number: int, turns: Turns) -> Iterator[Issue]:
        code = problem_of(turns)
        if code is not None:
            yield Issue(number, MESSAGES[code], code=code)
        if is_call(turns[-1]):
            self._ends_with_call.append(number)
        elif any(is_call(turn) for turn in turns):
            self._answered += 1

    def conclude(self) -> Iterator[Issue]:
        if len(self._ends_with_call) * 10 <= self._answered:
            for number in self._ends_with_call:
                message = "The conversation ends with a tool call; no answer follows."
                yield Issue(number, message, code="unclosed_tool_calls")


MESSAGES = {
    "unclosed_tool_calls": "A tool is called, and no answer of it follows.",
    "tool_without_call": "A tool answers without having been called.",
}


def might_call(batch: Batch) -> list[int]:
    """The places of rows with a turn of a tool, or one that calls for it."""
    import pyarrow.compute as pc

    texts = batch.texts
    by_tool, by_assistant, calling = (
        pc.equal(texts.parts, part).to_numpy(zero_copy_only=False)
        for part in ("tool", "assistant", "call")
    )
    calls = [hit.row for hit in hits(batch, CALL.pattern, by_assistant)]
    return sorted({*texts.rows[by_tool | calling].tolist(), *calls})


def is_call(turn: Turn) -> bool:
    """By its calls, or by a text that looks like one."""
    if turn.get("tool_calls"):
        return True
    content = turn["content"]
    called = turn["role"] == "assistant" and CALL.search(content) is not None
    return called and NAME.search(content) is not None


def problem_of(turns: Turns) -> str | None:
    for before, turn in pairwise(turns):
        if is_call(before) and turn["role"] == "user":
            return "unclosed_tool_calls"
        if turn["role"] == "tool" and before["role"] != "tool" and not is_call(before):
            return "tool_without_call"
    return None
