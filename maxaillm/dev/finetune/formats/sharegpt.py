"""ShareGPT: conversations: [{from, value}], with its names for the roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field

from maxaillm.dev.finetune.cells import (
    Row,
    RowProblem,
    Turn,
    all_columns,
    items_of,
    list_column,
    list_problem,
    optional_text_problem,
    role_of,
    text_of,
    turn_problem,
    wrong_type,
)
from maxaillm.dev.finetune.formats import Conversation, DataFormat, formats


@formats.register
class ShareGPT(DataFormat):
    """Each row is a conversation: a list of who speaks and what is said."""

    label: ClassVar[str] = "ShareGPT"
    summary: ClassVar[str] = "conversations: a list of {from, value}, from human, gpt or system."
    gives: ClassVar[type[BaseModel]] = Conversation

    name: Literal["sharegpt"] = "sharegpt"
    conversations: str = Field(
        "conversations", title="Conversation", description="A list of objects: from and value."
    )
    system: str | None = Field(
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
        turns = self.turns(row)
        if isinstance(turns, RowProblem):
            return turns
        return turn_problem(turns) or optional_text_problem(row, self.system)

    def to_example(self, row: Row) -> Conversation:
        turns = self.turns(row)
        if isinstance(turns, RowProblem):
            raise ValueError(turns.message)
        return Conversation.of(turns)

    def turns(self, row: Row) -> list[Turn] | RowProblem:
        problem = list_problem(row, self.conversations, "a list of turns")
        if problem is not None:
            return problem
        system = text_of(row, self.system)
        turns = [Turn("system", system)] if system else []
        for number, item in enumerate(items_of(row[self.conversations]) or (), start=1):
            turn = turn_of(item, number)
            if isinstance(turn, RowProblem):
                return turn
            turns.append(turn)
        return turns


def is_turn(item: Any) -> bool:
    return isinstance(item, dict) and "value" in item and ("from" in item or "role" in item)


def turn_of(item: Any, number: int) -> Turn | RowProblem:
    if not isinstance(item, dict):
        return wrong_type(f"turn {number}", item, "an object")
    role = role_of(item.get("from", item.get("role")), number)
    if isinstance(role, RowProblem):
        return role
    value = item.get("value")
    if not isinstance(value, str):
        return wrong_type(f"value of turn {number}", value)
    return Turn(role, value)
