"""Parts of a message: texts, thoughts, calls of tools and what these found.

Anthropic's have a type: text, thinking, tool_use, tool_result. Bedrock's are named by their key:
text, reasoningContent, toolUse, toolResult. What a tool found becomes a turn of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from maxaillm.dev.finetune.data.rows.tool_calls import call_of, written
from maxaillm.dev.finetune.data.rows.unread import objects_in, others
from maxaillm.dev.finetune.data.rows.values import Role, RowProblem, Turn, object_of

TYPED = {
    "text": ("text",),
    "thinking": ("thinking",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id", "name", "content"),
}
"""Anthropic's types, each with what is read of it."""
NAMED = {
    "toolUse": ("tool_use", {"toolUseId": "id", "name": "name", "input": "input"}),
    "toolResult": ("tool_result", {"toolUseId": "tool_use_id", "content": "content"}),
    "reasoningText": ("thinking", {"text": "thinking"}),
}
"""Bedrock's parts and their keys, each with Anthropic's word for it."""


def turns_of_parts(
    parts: Sequence[Any], role: Role, number: int, joint: str = ""
) -> list[Turn] | RowProblem:
    """The turns of message `number`, in the order of its parts; texts with `joint` between."""
    turns: list[Turn] = []
    for part in parts:
        turn = turn_of_part(typed(part), role, number)
        if isinstance(turn, RowProblem):
            return turn
        turns.append(turn)
    groups = [list(group) for _, group in groupby(turns, lambda turn: turn.role)]
    return [
        turn
        for group in groups
        for turn in ([together(group, joint)] if group[0].role == role else group)
    ]


def together(turns: Sequence[Turn], joint: str) -> Turn:
    """One turn of what was said, thought and called in several."""
    if len(turns) == 1:
        return turns[0]
    texts = (turn.content for turn in turns if turn.content)
    thoughts = (turn.reasoning for turn in turns if turn.reasoning)
    calls = tuple(call for turn in turns for call in turn.calls)
    return Turn(turns[0].role, joint.join(texts), None, "\n\n".join(thoughts), calls)


def turn_of_part(part: Any, role: Role, number: int) -> Turn | RowProblem:
    kind = part.get("type", "text") if isinstance(part, dict) else part
    if kind == "tool_use":
        call = call_of({**part, "arguments": part.get("input")}, number)
        return call if isinstance(call, RowProblem) else Turn(role, "", calls=(call,))
    if kind == "tool_result":
        found = found_by_tool(part.get("content"))
        if found is None:
            return not_text(number, kind)
        name, call_id = (str(part.get(key) or "") for key in ("name", "tool_use_id"))
        return Turn("tool", found, name=name, call_id=call_id)
    text = part.get(text_key(part)) if isinstance(part, dict) else None
    if kind not in ("text", "thinking") or not isinstance(text, str):
        return not_text(number, kind)
    return Turn(role, text) if kind == "text" else Turn(role, "", reasoning=text)


def holds_results_alone(parts: Any) -> bool:
    """Whether a message's parts are what tools found, and nothing that its speaker says."""
    kinds = [typed(part) for part in parts] if isinstance(parts, list) else []
    return bool(kinds) and all(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in kinds
    )


def not_text(number: int, kind: object) -> RowProblem:
    message = f"Message {number} has a part of the type {kind!r:.60}; only text is learned."
    return RowProblem("not_text", message, "Remove the part or the row.")


def typed(part: Any) -> Any:
    """One of Bedrock's parts as Anthropic has it; others as they are."""
    if not isinstance(part, dict) or "type" in part:
        return part
    outer = object_of(part.get("reasoningContent")) or part
    for key, (kind, names) in NAMED.items():
        if isinstance(inner := outer.get(key), dict):
            return {"type": kind} | {to: inner[name] for name, to in names.items() if name in inner}
    return part


def found_by_tool(content: Any) -> str | None:
    """What a tool found: a text, or parts with texts or JSON. None where it is a picture."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = [text_found(part) for part in parts]
    return None if None in texts else "\n".join(text for text in texts if text)


def text_found(part: Any) -> str | None:
    if isinstance(part, str) or not isinstance(part, dict):
        return written(part)
    if part.get("type", "text") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    return written(part["json"]) if "json" in part else None


def text_key(part: Mapping[str, Any]) -> str:
    """Where a part of a message has its text: `value` is a variant."""
    if part.get("type") == "thinking":
        return "thinking"
    return "value" if "text" not in part and "value" in part else "text"


def unread_in_part(part: Mapping[str, Any]) -> Iterator[str]:
    """What a part holds that is not read."""
    outer, path = object_of(part.get("reasoningContent")), ""
    if outer is not None and "type" not in part:
        yield from others({"reasoningContent"}, dict(part))
        part, path = outer, "reasoningContent."
    key = next((key for key in NAMED if isinstance(part.get(key), dict)), None)
    if key is not None and "type" not in part:
        yield from (f"{path}{name}" for name in others({key}, dict(part)))
        inner, read, path = part[key], {*NAMED[key][1]}, f"{path}{key}."
    else:
        inner, read = part, {"type", text_key(part), *TYPED.get(str(part.get("type")), ())}
    yield from (f"{path}{name}" for name in others(read, inner))
    if "content" in read:
        yield from (f"{path}content.{name}" for name in unread_in_found(inner.get("content")))


def unread_in_found(content: Any) -> Iterator[str]:
    for part in objects_in(content) if not isinstance(content, str) else ():
        read = {"type", "text"} if isinstance(part.get("text"), str) else {"type", "json"}
        yield from others(read, part)
