"""Bedrock's conversations: messages with content: [{text}], and a list of texts as system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError
from maxaillm.dev.finetune.data.rows.unread import Unread, only
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

SCHEMA = "bedrock-conversation"


@formats.register
class BedrockFormat(DataFormat):
    """Each row is a conversation as Amazon Bedrock trains on it."""

    label: ClassVar[str] = "Bedrock"
    summary: ClassVar[str] = "schemaVersion, system and messages with content: a list of {text}."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["bedrock"] = "bedrock"
    messages: str = Field(
        "messages", title="Messages", description="A list of objects: role and content."
    )
    schema_version: str = Field(
        "schemaVersion", title="Schema", description="Says that it is Bedrock's way to write."
    )
    system: str | None = Field(
        None, title="System prompt", description="A list of {text}; may be empty in a row."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        version, messages = present.get("schemaversion"), present.get("messages")
        if version is None or messages is None:
            return None
        if not is_mostly(sample, lambda row: str(row.get(version)).startswith(SCHEMA)):
            return None
        return cls(messages=messages, schema_version=version, system=present.get("system"))

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        try:
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def reads(self) -> Mapping[str, Unread | None]:
        read = {**super().reads(), self.messages: only("role", content=only("text"))}
        return read | ({self.system: only("text")} if self.system else {})

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        system = row.get(self.system) if self.system else None
        turns = [Turn("system", text_in(system, "system"))] if system else []
        for number, message in enumerate(items_of(row[self.messages]) or (), start=1):
            if not isinstance(message, dict):
                raise TurnError(wrong_type(f"message {number}", message, "an object"))
            role = role_of(message.get("role"), number)
            if isinstance(role, RowProblem):
                raise TurnError(role)
            turns.append(Turn(role, text_in(message.get("content"), f"message {number}")))
        return turns


def text_in(content: Any, where: str) -> str:
    """The text of a list of {text}, or a text as it is. Raises TurnError."""
    parts = items_of(content)
    if isinstance(content, str) and parts is None:
        return content
    if parts is None:
        raise TurnError(wrong_type(f"content of {where}", content, "a list of {text}"))
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        message = f"The content of {where} holds more than text; only text is learned."
        raise TurnError(RowProblem("not_text", message, "Remove the part or the row."))
    return "\n".join(map(str, texts))
