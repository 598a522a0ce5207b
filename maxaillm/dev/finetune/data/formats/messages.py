"""Chat messages: messages: [{role, content}], as OpenAI and Hugging Face write them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    system_column,
    text_column,
    tools_column,
    tools_field,
)
from maxaillm.dev.finetune.data.rows.exchanges import (
    QUESTION,
    Unit,
    exchanges_in,
    is_long,
    unfolded,
    unit_field,
)
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    ends_with_question,
    tools_in,
    turns_of,
    with_system_column,
)
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    is_mostly,
    items_of,
    list_column,
    list_problem,
    optional_text_problem,
    turn_problem,
)

NAMES = ("messages", "conversations", "conversation", "texts", "dialogue", "chat")


@formats.register
class MessagesFormat(DataFormat):
    """Each row is a conversation: a list of messages with role and content."""

    label: ClassVar[str] = "Chat messages"
    summary: ClassVar[str] = "messages: a list of {role, content}."
    gives: ClassVar[type[Example]] = Conversation
    asked: ClassVar[str] = QUESTION
    is_usual: ClassVar[bool] = True

    name: Literal["messages"] = "messages"
    messages: str = Field(
        "messages", title="Messages", description="A list of objects: role and content."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    tools: str | None = tools_field()
    unit: Unit = unit_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Chats that mostly end with a question hold no answers: they are prompts."""
        column = list_column(sample, NAMES, is_message)
        if column is None or is_mostly(sample, lambda row: ends_with_question(row.get(column))):
            return None
        return cls(
            messages=column,
            system=system_column(sample),
            tools=tools_column(sample),
        )

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(tools="tools" if "tools" in columns else None)

    def other_readings(self, sample: Sequence[Row]) -> Sequence[Self]:
        is_asked = is_long(sample, self.messages, exchanges_in)
        return [self.model_copy(update={"unit": "exchange"})] if is_asked else []

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return unfolded(self.messages, self.unit, exchanges_in)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.messages: unread_in_turns}

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.messages, "a list of messages")
        if problem is not None:
            return problem
        try:
            tools_in(row, self.tools)
            return turn_problem(self.turns(row)) or optional_text_problem(row, self.system)
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row), tools_in(row, self.tools))

    def turns(self, row: Row) -> list[Turn]:
        turns = turns_of(items_of(row[self.messages]), self.messages)
        return with_system_column(turns, row, self.system)


def is_message(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and "role" in item
        and not item.keys().isdisjoint({"content", "tool_calls", "function_call"})
    )
