"""Conversations in which one side speaks twice in a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.turn_order import TurnOrder
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn, PromptColumn


@checks.register
class RepeatedSpeaker(Check):
    label: ClassVar[str] = "The same side twice in a row"
    why: ClassVar[str] = (
        "Many chat templates want user and assistant to take turns, and refuse such a row."
    )
    advice: ClassVar[str] = "Join the turns."
    fix: ClassVar[str | None] = "join_turns"

    name: Literal["repeated_speaker"] = "repeated_speaker"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for column in (
            *batch.kind.columns_of(DialogueColumn),
            *batch.kind.columns_of(PromptColumn),
        ):
            order = TurnOrder.of(batch, column.name)
            found = (order.roles == order.before) & (order.roles != "tool")
            for row, number in order.first_of_rows(found):
                yield Issue(
                    batch.numbers[row], f"Turn {number} is of the same side as the one before it."
                )
