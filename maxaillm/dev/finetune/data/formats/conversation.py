"""Conversations as lists of exchanges: conversations: [{input, output}]."""

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
)
from maxaillm.dev.finetune.data.rows.exchanges import (
    QUESTION,
    Unit,
    each_apart,
    is_long,
    unfolded,
    unit_field,
)
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    items_of,
    list_column,
    list_problem,
    optional_text_problem,
    text_of,
    text_problem,
    wrong_type,
)

NAMES = ("conversations", "conversation")


@formats.register
class ExchangesFormat(DataFormat):
    """Each row is a conversation: a list of what was said and what was answered."""

    label: ClassVar[str] = "Conversation"
    summary: ClassVar[str] = "conversations: a list of {input, output}."
    gives: ClassVar[type[Example]] = Conversation
    asked: ClassVar[str] = QUESTION

    name: Literal["conversation"] = "conversation"
    conversations: str = Field(
        "conversations", title="Conversation", description="A list of objects: input and output."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    unit: Unit = unit_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Only by the column's name: lists of input and output also stand for other things."""
        column = list_column(sample, NAMES, is_exchange)
        if column not in NAMES:
            return None
        return cls(conversations=column, system=system_column(sample))

    def other_readings(self, sample: Sequence[Row]) -> Sequence[Self]:
        is_asked = is_long(sample, self.conversations, each_apart)
        return [self.model_copy(update={"unit": "exchange"})] if is_asked else []

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return unfolded(self.conversations, self.unit, each_apart)

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.conversations, "a list of exchanges")
        if problem is not None:
            return problem
        for number, exchange in enumerate(items_of(row[self.conversations]) or (), start=1):
            if not isinstance(exchange, dict):
                return wrong_type(f"exchange {number}", exchange, "an object")
            problem = text_problem(exchange, "input") or text_problem(exchange, "output")
            if problem is not None:
                return problem._replace(message=f"Exchange {number}: {problem.message}")
        return optional_text_problem(row, self.system)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.conversations: only("input", "output")}

    def to_fields(self, row: Row) -> Fields:
        turns = [Turn("system", text_of(row, self.system))]
        for exchange in items_of(row[self.conversations]) or ():
            turns += [Turn("user", exchange["input"]), Turn("assistant", exchange["output"])]
        return conversation_of(turns)


def is_exchange(item: Any) -> bool:
    return isinstance(item, dict) and {"input", "output"} <= item.keys()
