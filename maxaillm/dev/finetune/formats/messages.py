"""Chat messages: messages: [{role, content}], as OpenAI and Hugging Face write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field

from maxaillm.dev.finetune.cells import (
    Row,
    RowProblem,
    Turn,
    items_of,
    list_column,
    list_problem,
    role_of,
    turn_problem,
    wrong_type,
)
from maxaillm.dev.finetune.formats import Conversation, DataFormat, formats

NAMES = ("messages", "conversations", "conversation", "texts", "dialogue", "chat")


@formats.register
class Messages(DataFormat):
    """Each row is a conversation: a list of messages with role and content."""

    label: ClassVar[str] = "Chat messages"
    summary: ClassVar[str] = "messages: a list of {role, content}."
    gives: ClassVar[type[BaseModel]] = Conversation

    name: Literal["messages"] = "messages"
    messages: str = Field(
        "messages", title="Messages", description="A list of objects: role and content."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = list_column(sample, NAMES, is_message)
        return None if column is None else cls(messages=column)

    def check(self, row: Row) -> RowProblem | None:
        turns = self.turns(row)
        return turns if isinstance(turns, RowProblem) else turn_problem(turns)

    def to_example(self, row: Row) -> Conversation:
        turns = self.turns(row)
        if isinstance(turns, RowProblem):
            raise ValueError(turns.message)
        return Conversation.of(turns)

    def turns(self, row: Row) -> list[Turn] | RowProblem:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        turns: list[Turn] = []
        for number, message in enumerate(items_of(row[self.messages]) or (), start=1):
            turn = turn_of(message, number)
            if isinstance(turn, RowProblem):
                return turn
            turns.append(turn)
        return turns


def is_message(item: Any) -> bool:
    return (
        isinstance(item, dict) and "role" in item and bool({"content", "tool_calls"} & item.keys())
    )


def turn_of(message: Any, number: int) -> Turn | RowProblem:
    if not isinstance(message, dict):
        return wrong_type(f"message {number}", message, "an object")
    role = role_of(message.get("role"), number)
    if isinstance(role, RowProblem):
        return role
    content = content_of(message, number)
    if isinstance(content, RowProblem):
        return content
    weight = message.get("weight", message.get("loss_weight"))
    if weight is not None and (isinstance(weight, bool) or not isinstance(weight, int | float)):
        return wrong_type(f"weight of message {number}", weight, "a number")
    return Turn(role, content, weight)


def content_of(message: dict[str, Any], number: int) -> str | RowProblem:
    """The text of a message; calls of tools are learned as the JSON that asks for them."""
    content = message.get("content")
    calls = message.get("tool_calls") or message.get("function_call")
    if isinstance(content, list):
        content = joined_parts(content, number)
    if isinstance(content, RowProblem):
        return content
    if calls:
        asked = json.dumps(calls, ensure_ascii=False)
        return f"{content}\n{asked}" if content else asked
    if not isinstance(content, str):
        return wrong_type(f"content of message {number}", content)
    return content


def joined_parts(parts: list[Any], number: int) -> str | RowProblem:
    """The text of typed parts, [{"type": "text", "text": ...}]; "value" is a variant."""
    texts: list[str] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, dict) else part
        text = None
        if isinstance(part, dict) and kind == "text":
            text = part.get("text", part.get("value"))
        if not isinstance(text, str):
            message = f"Message {number} has a part of the type {kind!r:.60}; only text is learned."
            return RowProblem("not_text", message, "Remove the part or the row.")
        texts.append(text)
    return "".join(texts)
