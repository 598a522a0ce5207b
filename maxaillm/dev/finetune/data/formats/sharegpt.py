"""ShareGPT: conversations: [{from, value}], with its names for the roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    text_column,
)
from maxaillm.dev.finetune.data.rows.messages import TurnError, turns_of
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    all_columns,
    items_of,
    list_column,
    list_problem,
    optional_text_problem,
    text_of,
    turn_problem,
)


@formats.register
class ShareGPTFormat(DataFormat):
    """Each row is a conversation: a list of who speaks and what is said."""

    label: ClassVar[str] = "ShareGPT"
    summary: ClassVar[str] = "conversations: a list of {from, value}, from human, gpt or system."
    gives: ClassVar[type[Example]] = Conversation
    is_usual: ClassVar[bool] = True

    name: Literal["sharegpt"] = "sharegpt"
    conversations: str = Field(
        "conversations", title="Conversation", description="A list of objects: from and value."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        column = list_column(sample, ["conversations"], is_turn)
        if column is None:
            return None
        return cls(
            conversations=column, system="system" if "system" in all_columns(sample) else None
        )

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.conversations, "a list of turns")
        if problem is not None:
            return problem
        try:
            return turn_problem(self.turns(row)) or optional_text_problem(row, self.system)
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        turns = turns_of(items_of(row[self.conversations]), self.conversations)
        system = text_of(row, self.system)
        return [Turn("system", system), *turns] if system else turns


def is_turn(item: Any) -> bool:
    return isinstance(item, dict) and "value" in item and ("from" in item or "role" in item)
