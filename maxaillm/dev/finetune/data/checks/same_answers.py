"""Preferences in which the better answer and the worse one are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.checks import Batch, Check, Suspicion, checks
from maxaillm.dev.finetune.data.formats import Preference


@checks.register
class SameAnswers(Check):
    label: ClassVar[str] = "Two equal answers to choose from"
    why: ClassVar[str] = "Where both answers are the same, there is nothing to prefer."
    advice: ClassVar[str] = "Drop the row."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["same_answers"] = "same_answers"

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        if batch.kind is not Preference:
            return
        for number, example in zip(batch.numbers, batch.examples, strict=True):
            if spoken(example["chosen"]) == spoken(example["rejected"]):
                yield Suspicion(number, "The chosen and the rejected answer are the same.")


def spoken(turns: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"].strip()) for turn in turns]
