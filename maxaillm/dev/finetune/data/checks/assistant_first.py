"""Conversations that the assistant opens: a greeting that answers nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.turn_order import TurnOrder
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn


@checks.register
class AssistantFirst(Check):
    label: ClassVar[str] = "The assistant speaks first"
    why: ClassVar[str] = (
        "The greeting is learned like an answer, and some chat templates refuse it."
    )
    advice: ClassVar[str] = "Keep it as it is, or let it be read only."
    fix: ClassVar[str | None] = "mask_greeting"

    name: Literal["assistant_first"] = "assistant_first"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for column in batch.kind.columns_of(DialogueColumn):
            order = TurnOrder.of(batch, column.name)
            found = (
                (order.roles == "assistant")
                & ((order.before == "") | (order.before == "system"))
                & (order.places < 2)
            )
            for row, number in order.first_of_rows(found):
                yield Issue(
                    batch.numbers[row],
                    f"Turn {number}, the first but for the system's, is the assistant's.",
                )
