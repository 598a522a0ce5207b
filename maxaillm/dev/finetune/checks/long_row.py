"""Rows so long that hardly any model takes them whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.checks import Batch, Check, Suspicion, checks


@checks.register
class LongRow(Check):
    label: ClassVar[str] = "Very long rows"
    why: ClassVar[str] = "Training cuts a row at the maximum length: what lies behind is lost."
    advice: ClassVar[str] = "Split it into several rows."

    name: Literal["long_row"] = "long_row"
    max_chars: int = Field(
        1_000_000, gt=0, title="Longest row", json_schema_extra={"unit": "characters"}
    )

    def see(self, batch: Batch) -> Iterator[Suspicion]:
        for number, pieces in zip(batch.numbers, batch.pieces, strict=True):
            length = sum(len(piece.text) for piece in pieces)
            if length > self.max_chars:
                message = (
                    f"This row has {length:,} characters; training cuts it at the maximum length."
                )
                yield Suspicion(number, message)
