"""Exchanges: a long conversation read as one row for each question and its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, Literal

from pydantic import Field, JsonValue

from maxaillm.dev.finetune.data.rows.values import ROLES, Row, items_of

Unit = Literal["conversation", "exchange"]
Parts = Callable[[list[Any]], Iterator[list[Any]]]
"""The items of a conversation, exchange by exchange."""
QUESTION = (
    "A row holds so many exchanges that they may be one conversation, or questions that have "
    "nothing to do with each other."
)
MANY = 30
"""A conversation with more exchanges may be a list of unrelated questions: people seldom ask a
model more than that in one sitting."""


def unit_field() -> Any:
    """A field for what one row is."""
    labels: dict[str, JsonValue] = {
        "conversation": "The whole conversation: Each answer sees all that was said before. What "
        "is longer than the maximum length is cut.",
        "exchange": "One question with its answer: It sees nothing of the others.",
    }
    return Field(
        "conversation",
        title="One row is",
        description="Exchanges that go on from each other belong together; questions that have "
        "nothing to do with each other are rows of their own.",
        json_schema_extra={"labels": labels},
    )


def is_long(sample: Sequence[Row], column: str, parts: Parts) -> bool:
    """Whether a row has so many exchanges that its owner is asked."""
    lists = (items_of(row.get(column)) for row in sample)
    return any(len(items) > MANY and is_beyond(MANY, parts(items)) for items in lists if items)


def is_beyond(number: int, parts: Iterable[Any]) -> bool:
    return len(list(islice(parts, number + 1))) > number


def unfolded(column: str, unit: Unit, parts: Parts) -> Callable[[Row], Iterable[Row]]:
    """What makes a row of each exchange, where that is the unit; a broken cell stays one row."""

    def rows_in(record: Row) -> Iterable[Row]:
        items = items_of(record.get(column))
        if unit == "conversation" or not items:
            return (record,)
        return ({**record, column: part} for part in parts(items))

    return rows_in


def each_apart(items: list[Any]) -> Iterator[list[Any]]:
    """Of a list of exchanges."""
    return ([item] for item in items)


def exchanges_in(items: list[Any]) -> Iterator[list[Any]]:
    """Of a list of messages: each ends before the next question. What the system says first goes
    with each of them."""
    roles = [role_in(item) for item in items]
    opening = next((at for at, role in enumerate(roles) if role != "system"), len(roles))
    starts = [
        at
        for at in range(opening, len(items))
        if at == opening or (roles[at] in ("user", "system") and roles[at - 1] == "assistant")
    ]
    bounds = pairwise([*starts, len(items)]) if starts else ((opening, len(items)),)
    return (items[:opening] + items[a:b] for a, b in bounds)


def role_in(item: Any) -> str | None:
    """The role of a message, or None where it has none that is known."""
    role = item.get("role", item.get("from")) if isinstance(item, dict) else None
    return ROLES.get(role.strip().lower()) if isinstance(role, str) else None
