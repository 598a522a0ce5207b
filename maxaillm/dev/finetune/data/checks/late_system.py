"""System turns in the middle of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.turn_order import TurnOrder
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn, PromptColumn


@checks.register
class LateSystem(Check):
    label: ClassVar[str] = "System prompt in the middle"
    why: ClassVar[str] = (
        "Many chat templates know a system prompt at the beginning only, and refuse such a row."
    )
    advice: ClassVar[str] = (
        "Keep it where it stands if the model knows that, or put it into the question behind it."
    )
    fix: ClassVar[str | None] = "move_system"

    name: Literal["late_system"] = "late_system"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for column in (
            *batch.kind.columns_of(DialogueColumn),
            *batch.kind.columns_of(PromptColumn),
        ):
            order = TurnOrder.of(batch, column.name)
            found = (order.roles == "system") & (order.places > 0)
            for row, number in order.first_of_rows(found):
                yield Issue(
                    batch.numbers[row],
                    f"Turn {number} is the system's, in the middle of the conversation.",
                )
