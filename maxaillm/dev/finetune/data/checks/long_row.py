"""Long rows: so long that hardly any model takes them whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from maxaillm.dev.finetune.data.analysis.text_search import chars_by_row
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks


@checks.register
class LongRow(Check):
    label: ClassVar[str] = "Very long rows"
    why: ClassVar[str] = "Training cuts a row at the maximum length: what lies behind is lost."
    advice: ClassVar[str] = "Split it into several rows, or raise data.max_length in the run."

    name: Literal["long_row"] = "long_row"
    max_chars: int = Field(
        1_000_000, gt=0, title="Longest row", json_schema_extra={"unit": "characters"}
    )

    def see(self, batch: Batch) -> Iterator[Issue]:
        lengths = chars_by_row(batch)
        for place in np.flatnonzero(lengths > self.max_chars).tolist():
            message = (
                f"This row has {lengths[place]:,} characters; "
                "training cuts it at the maximum length."
            )
            yield Issue(batch.numbers[place], message)
