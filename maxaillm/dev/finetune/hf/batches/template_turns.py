"""Turns as a chat template takes them: what it can't write stands in a text, and that is said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import TemplateError

from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.hf.templates import render_jinja_template

REFUSALS = (TemplateError, TypeError, ValueError, KeyError, AttributeError)
"""What a template ends with that can't write a conversation: few of them look before they leap."""
THOUGHT = "<think>\n{}\n</think>\n\n"
"""Thoughts as models that reason write them, from DeepSeek-R1 on."""
TOOLS = "These tools can be called, each described as JSON:\n{}"
Turn = dict[str, Any]


class Abilities(NamedTuple):
    """What a chat template writes beside the texts of user and assistant."""

    system: bool
    tools: bool
    calls: bool
    results: bool
    """The turns of tools."""
    reasoning: bool


class Written(NamedTuple):
    """A conversation as the template gets it, and what stands in texts for want of a place."""

    turns: list[Turn]
    tools: list[Any] | None
    in_texts: tuple[str, ...]


def abilities_of(template: str, special: Mapping[str, Any]) -> Abilities:
    """Found out by rendering conversations that have a word of their own in each place."""
    return probed(template, tuple(sorted((name, str(token)) for name, token in special.items())))


@lru_cache(maxsize=64)
def probed(template: str, special: tuple[tuple[str, str], ...]) -> Abilities:
    def writes(word: str, turns: list[Turn], tools: list[Any] | None = None) -> bool:
        try:
            texts = render_jinja_template([turns], tools, chat_template=template, **dict(special))
        except REFUSALS:
            return False
        return word in texts[0][0]

    asked: Turn = {"role": "user", "content": "question"}
    answer: Turn = {"role": "assistant", "content": "answer"}
    tools = [described("probetool")]
    call = {"id": "probe1234", "type": "function"}  # Mistral's ids have nine letters
    calling: Turn = answer | {
        "content": "",
        "tool_calls": [call | {"function": {"name": "probetool", "arguments": {"a": "probearg"}}}],
    }
    result: Turn = {"role": "tool", "content": "proberesult", "tool_call_id": "probe1234"}
    called = [asked, calling, result | {"name": "probetool"}, answer]
    plain = [asked, answer, result | {"name": "probetool"}, answer]
    return Abilities(
        system=writes("probesystem", [{"role": "system", "content": "probesystem"}, asked, answer]),
        tools=writes("probetool", [asked], tools),
        calls=writes("probearg", called, tools) or writes("probearg", called),
        results=writes("proberesult", called, tools) or writes("proberesult", plain),
        reasoning=writes("probethought", [asked, answer | {"reasoning_content": "probethought"}]),
    )


def described(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"a": {"type": "string"}}}
    function = {"name": name, "description": "description", "parameters": parameters}
    return {"type": "function", "function": function}


def written(messages: Sequence[Message], tools: str | None, can: Abilities) -> Written:
    """Messages and tools for a template with these abilities."""
    turns = [turn_of(message, can) for message in messages]
    in_texts = dict.fromkeys(lacking(messages, tools, can))
    listed = json.loads(tools) if tools else None
    if listed and not can.tools:
        tell(turns, TOOLS.format(json.dumps(listed, ensure_ascii=False)), can)
        listed = None
    return Written(turns, listed, tuple(in_texts))


def lacking(messages: Sequence[Message], tools: str | None, can: Abilities) -> Iterator[str]:
    """What the template has no place for."""
    if tools and not can.tools:
        yield "tools"
    for message in messages:
        if message.tool_calls and not can.calls:
            yield "tool calls"
        if message.role == "tool" and not can.results:
            yield "answers of tools"
        if message.reasoning and not can.reasoning:
            yield "reasoning"


def turn_of(message: Message, can: Abilities) -> Turn:
    turn: Turn = {"role": message.role, "content": message.content}
    if message.role == "tool" and not can.results:
        turn["role"] = "user"
    if message.tool_calls:
        calls = [call.for_template() for call in message.tool_calls]
        if can.calls:
            turn["tool_calls"] = calls
        else:
            asked = json.dumps(calls, ensure_ascii=False)
            turn["content"] = "\n".join(filter(None, (message.content, asked)))
    if message.reasoning and can.reasoning:
        turn["reasoning_content"] = message.reasoning  # transformers gives it its other names
    elif message.reasoning:
        turn["content"] = THOUGHT.format(message.reasoning) + turn["content"]
    more = {"name": message.name, "tool_call_id": message.tool_call_id}
    return turn | {key: value for key, value in more.items() if value is not None}


def tell(turns: list[Turn], text: str, can: Abilities) -> None:
    """Put a text where the model reads it first: into the system's turn, or the first question."""
    role = "system" if can.system else "user"
    if can.system and (not turns or turns[0]["role"] != "system"):
        turns.insert(0, {"role": "system", "content": text})
        return
    first = next((turn for turn in turns if turn["role"] == role), None)
    if first is not None:
        parts = (first["content"], text) if can.system else (text, first["content"])
        first["content"] = "\n\n".join(filter(None, parts))
