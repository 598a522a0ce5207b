"""Chat messages: messages: [{role, content}], as OpenAI and Hugging Face write them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError, ends_with_question, turns_of
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    is_mostly,
    items_of,
    list_column,
    list_problem,
    turn_problem,
)

NAMES = ("messages", "conversations", "conversation", "texts", "dialogue", "chat")


@formats.register
class MessagesFormat(DataFormat):
    """Each row is a conversation: a list of messages with role and content."""

    label: ClassVar[str] = "Chat messages"
    summary: ClassVar[str] = "messages: a list of {role, content}."
    gives: ClassVar[type[Example]] = Conversation
    is_usual: ClassVar[bool] = True

    name: Literal["messages"] = "messages"
    messages: str = Field(
        "messages", title="Messages", description="A list of objects: role and content."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Chats that mostly end with a question hold no answers: they are prompts."""
        column = list_column(sample, NAMES, is_message)
        if column is None or is_mostly(sample, lambda row: ends_with_question(row.get(column))):
            return None
        return cls(messages=column)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls()

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        try:
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        return turns_of(items_of(row[self.messages]), self.messages)


def is_message(item: Any) -> bool:
    return (
        isinstance(item, dict) and "role" in item and bool({"content", "tool_calls"} & item.keys())
    )
