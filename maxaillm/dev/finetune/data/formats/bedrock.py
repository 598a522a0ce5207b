"""Bedrock's conversations: messages with content: [{text}], and a list of texts as system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.message_parts import turns_of_parts, unread_in_part
from maxaillm.dev.finetune.data.rows.messages import TurnError, sound, tools_in
from maxaillm.dev.finetune.data.rows.unread import Unread, objects_in, only
from maxaillm.dev.finetune.data.rows.values import (
    Role,
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    object_of,
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
    tools: str | None = Field(
        None, title="Tools", description="An object with tools: a list of {toolSpec}."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        version, messages = present.get("schemaversion"), present.get("messages")
        if version is None or messages is None:
            return None
        if not is_mostly(sample, lambda row: str(row.get(version)).startswith(SCHEMA)):
            return None
        return cls(
            messages=messages,
            schema_version=version,
            system=present.get("system"),
            tools=present.get("toolconfig"),
        )

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        try:
            self.listed(row)
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def reads(self) -> Mapping[str, Unread | None]:
        read = {**super().reads(), self.messages: only("role", content=unread_in_parts)}
        if self.tools:
            spec = only("name", "description", inputSchema=only("json"))
            read[self.tools] = only(tools=only(toolSpec=spec))
        return read | ({self.system: only("text")} if self.system else {})

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row), self.listed(row))

    def listed(self, row: Row) -> str | None:
        """The tools that may be called, as OpenAI has them. Raises TurnError."""
        return tools_in(object_of(row.get(self.tools)) or {}, "tools") if self.tools else None

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        system = row.get(self.system) if self.system else None
        turns = turns_in(system, "system", 0) if system else []
        for number, message in enumerate(items_of(row[self.messages]) or (), start=1):
            if not isinstance(message, dict):
                raise TurnError(wrong_type(f"message {number}", message, "an object"))
            role: Role = sound(role_of(message.get("role"), number))
            turns += turns_in(message.get("content"), role, number)
        return turns


def turns_in(content: Any, role: Role, number: int) -> list[Turn]:
    """The turns of a list of parts, or of a text as it is. Raises TurnError."""
    parts = items_of(content)
    if isinstance(content, str) and parts is None:
        return [Turn(role, content)]
    if parts is None:
        where = f"content of message {number}" if number else "system"
        raise TurnError(wrong_type(where, content, "a list of {text}"))
    return sound(turns_of_parts(parts, role, number, joint="\n"))


def unread_in_parts(value: Any) -> Iterator[str]:
    for part in objects_in(value):
        yield from unread_in_part(part)
