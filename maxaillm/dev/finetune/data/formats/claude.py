"""Claude's export (conversations.json): chat_messages: [{sender, text, content}]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError
from maxaillm.dev.finetune.data.rows.unread import Unread, objects_in, others
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    role_of,
    turn_problem,
    wrong_type,
)

ASIDE = ("attachments", "files", "files_v2")


@formats.register
class ClaudeFormat(DataFormat):
    """Each row is a conversation: messages with who sent them and their text."""

    label: ClassVar[str] = "Claude export"
    summary: ClassVar[str] = "chat_messages: a list of {sender, text}, as in conversations.json."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["claude"] = "claude"
    messages: str = Field(
        "chat_messages", title="Messages", description="A list of objects: sender and text."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = columns_by_name(sample).get("chat_messages")
        if column is None or not is_mostly(sample, lambda row: has_senders(row.get(column))):
            return None
        return cls(messages=column)

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        try:
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.messages: unread_in_messages}

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        messages = enumerate(items_of(row[self.messages]) or (), start=1)
        return [turn_of(message, number) for number, message in messages]


def has_senders(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and "sender" in items[0]


def turn_of(message: Any, number: int) -> Turn:
    """Raises TurnError, also for a message with files: what is said of them would be learned."""
    if not isinstance(message, dict):
        raise TurnError(wrong_type(f"message {number}", message, "an object"))
    role = role_of(message.get("sender"), number)
    if isinstance(role, RowProblem):
        raise TurnError(role)
    if any(message.get(name) for name in ASIDE):
        told = f"Message {number} has files; only text is learned."
        raise TurnError(RowProblem("not_text", told, "Remove the conversation."))
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    text = message.get("text") or (joined(parts, "text") if isinstance(content, list) else content)
    if not isinstance(text, str):
        raise TurnError(wrong_type(f"text of message {number}", text))
    return Turn(role, text, reasoning=joined(parts, "thinking"))


def joined(content: list[Any], kind: str) -> str:
    """What the parts of a kind say; calls of tools are named as not read."""
    parts = [part for part in content if isinstance(part, dict) and part.get("type") == kind]
    return "\n\n".join(str(part.get(kind) or "") for part in parts)


def unread_in_messages(value: Any) -> Iterator[str]:
    for message in objects_in(value):
        yield from others({"sender", "text", "content", *ASIDE}, message)
        for part in objects_in(message.get("content")):
            kind = str(part.get("type"))
            if kind == "thinking" or (kind == "text" and not message.get("text")):
                yield from (f"content.{key}" for key in others({"type", kind}, part))
            elif kind != "text" or part.get("text") != message.get("text"):
                yield f"content.{kind}"
            else:
                yield from (f"content.{key}" for key in others({"type", "text"}, part))
