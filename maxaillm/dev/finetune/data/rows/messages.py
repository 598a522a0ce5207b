"""Messages of a chat, and how files write them: {role, content}, {from, value}, typed parts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.data.rows.values import (
    ROLES,
    Role,
    Row,
    RowProblem,
    Turn,
    cell_of,
    is_blank,
    items_of,
    object_of,
    role_of,
    text_of,
    text_problem,
    turn_problem,
    wrong_type,
)

SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
"""How Anthropic's preference data (HH-RLHF) marks who speaks in a conversation of one text."""

MAX_WEIGHT = 1e9


class Message(BaseModel):
    """One turn of a conversation. `weight` 0 keeps an assistant's turn out of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    content: str
    weight: float | None = None


class TurnError(ValueError):
    """What a row holds is no conversation; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def turns_in(row: Row, column: str, speaker: Role) -> list[Turn]:
    """The turns in a cell: a list of messages, a single one, or a text that `speaker` says.

    {"messages": [...]}, as OpenAI writes a prompt, is such a list too. Raises TurnError.
    """
    value = cell_of(row, column)
    single = object_of(value)
    items = items_of(value if single is None else single.get("messages", [single]))
    if isinstance(value, list | dict) or (items and all(map(is_turn, items))):
        return turns_of(items, column)  # in a table's cell, it may be a text that looks alike
    problem = text_problem(row, column)
    if problem is not None:
        raise TurnError(problem)
    return spoken_turns(str(value)) or [Turn(speaker, str(value))]


def turns_of(items: object, where: str) -> list[Turn]:
    """The turns of a list of messages. Raises TurnError."""
    if not isinstance(items, list):
        raise TurnError(wrong_type(where, items, "a list of messages"))
    if not items:
        raise TurnError(RowProblem("empty", f"{where!r} is empty.", "Fill it in."))
    return [turn_of(item, number) for number, item in enumerate(items, start=1)]


def turn_of(item: Any, number: int) -> Turn:
    """Turn `number`. Raises TurnError."""
    if not isinstance(item, dict):
        raise TurnError(wrong_type(f"message {number}", item, "an object"))
    role = role_of(item["role"] if "role" in item else item.get("from"), number)
    if isinstance(role, RowProblem):
        raise TurnError(role)
    if "value" in item and "content" not in item:
        if not isinstance(item["value"], str):
            raise TurnError(wrong_type(f"value of turn {number}", item["value"]))
        return Turn(role, item["value"])
    weight = item["weight"] if "weight" in item else item.get("loss_weight")
    if weight is not None and not is_weight(weight):
        raise TurnError(wrong_type(f"weight of message {number}", weight, "a number"))
    return Turn(role, content_of(item, number), weight)


def is_weight(value: Any) -> bool:
    """Whether `value` is a number, and one that a loss can be multiplied by."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < MAX_WEIGHT


def content_of(message: dict[str, Any], number: int) -> str:
    """The text of a message; calls of tools are learned as the JSON that asks for them."""
    content = message.get("content")
    calls = message.get("tool_calls") or message.get("function_call")
    if isinstance(content, list):
        content = joined_parts(content, number)
    if calls:
        asked = json.dumps(calls, ensure_ascii=False)
        return f"{content}\n{asked}" if content else asked
    if not isinstance(content, str):
        raise TurnError(wrong_type(f"content of message {number}", content))
    return content


def joined_parts(parts: list[Any], number: int) -> str:
    """The text of typed parts, [{"type": "text", "text": ...}]; "value" is a variant."""
    texts: list[str] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, dict) else part
        text = None
        if isinstance(part, dict) and kind == "text":
            text = part.get("text", part.get("value"))
        if not isinstance(text, str):
            message = f"Message {number} has a part of the type {kind!r:.60}; only text is learned."
            raise TurnError(RowProblem("not_text", message, "Remove the part or the row."))
        texts.append(text)
    return "".join(texts)


def spoken_turns(text: str) -> list[Turn]:
    """The turns of a text in which "Human:" and "Assistant:" say who speaks; [] of any other."""
    marks = list(SPEAKER.finditer(text))
    if not marks or marks[0].start() or {mark[1] for mark in marks} != {"Human", "Assistant"}:
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Turn(ROLES[mark[1].lower()], text[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    ]


def prompt_in(row: Row, prompt: str | None, matter: str | None, system: str | None) -> list[Turn]:
    """What is asked: the turns in `prompt`, what they are about, and how to behave. See TurnError.

    Without a column for the prompt it is only the system's turn, if there is one.
    """
    turns = turns_in(row, prompt, "user") if prompt is not None else []
    if len(turns) > 1 and turns[-1].role == "assistant" and is_blank(turns[-1].content):
        turns.pop()  # "Assistant:" at the end of a prompt calls for the answer
    if turns and (about := text_of(row, matter)):
        turns[-1] = turns[-1]._replace(content=f"{turns[-1].content}\n\n{about}")
    behaviour = text_of(row, system)
    return [Turn("system", behaviour), *turns] if behaviour else turns


def is_turn(item: Any) -> bool:
    """Whether `item` looks like a message with who says it and what."""
    return (
        isinstance(item, dict)
        and not item.keys().isdisjoint({"role", "from"})
        and not item.keys().isdisjoint({"content", "value", "tool_calls", "function_call"})
    )


def ends_with_question(value: Any) -> bool:
    """Whether `value` is a list of messages of which the user has the last."""
    last = (items_of(value) or [None])[-1]
    role = last.get("role", last.get("from")) if isinstance(last, dict) else None
    return isinstance(role, str) and ROLES.get(role.strip().lower()) == "user"


def starts_anew(turns: Sequence[Turn]) -> bool:
    """Whether `turns` are a whole conversation and not the continuation of one."""
    return bool(turns) and turns[0].role in ("system", "user")


def refuse_broken(turns: Sequence[Turn], where: str) -> None:
    """Raise TurnError where `turns` are no conversation that ends with an answer."""
    problem = turn_problem(turns)
    if problem is not None:
        raise TurnError(problem._replace(message=f"{where!r}: {problem.message}"))
