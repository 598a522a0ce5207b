"""ShareGPT: conversations: [{from, value}], with its names for the roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    items_of,
    list_column,
    list_problem,
    optional_text_problem,
    turn_problem,
)


@formats.register
class ShareGPTFormat(DataFormat):
    """Each row is a conversation: a list of who speaks and what is said."""

    label: ClassVar[str] = "ShareGPT"
    summary: ClassVar[str] = "conversations: a list of {from, value}, from human, gpt or system."
    gives: ClassVar[type[Example]] = Conversation
    asked: ClassVar[str] = QUESTION
    is_usual: ClassVar[bool] = True

    name: Literal["sharegpt"] = "sharegpt"
    conversations: str = Field(
        "conversations", title="Conversation", description="A list of objects: from and value."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    tools: str | None = tools_field()
    unit: Unit = unit_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = list_column(sample, ["conversations"], is_turn)
        if column is None:
            return None
        return cls(conversations=column, system=system_column(sample), tools=tools_column(sample))

    def other_readings(self, sample: Sequence[Row]) -> Sequence[Self]:
        is_asked = is_long(sample, self.conversations, exchanges_in)
        return [self.model_copy(update={"unit": "exchange"})] if is_asked else []

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return unfolded(self.conversations, self.unit, exchanges_in)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.conversations: unread_in_turns}

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.conversations, "a list of turns")
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
        turns = turns_of(items_of(row[self.conversations]), self.conversations)
        return with_system_column(turns, row, self.system)


def is_turn(item: Any) -> bool:
    return isinstance(item, dict) and "value" in item and ("from" in item or "role" in item)
