"""Empty parts of a row, where the rest can be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

VISIBLE = r"[^\s\p{Z}\p{C}\x{115F}\x{1160}\x{2800}\x{3164}]"


@checks.register
class EmptyPart(Check):
    label: ClassVar[str] = "Empty parts"
    why: ClassVar[str] = "The model reads a part that says nothing, and learns to expect it."
    advice: ClassVar[str] = "Fill it in, or drop the row."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["empty_part"] = "empty_part"

    def see(self, batch: Batch) -> Iterator[Issue]:
        import pyarrow.compute as pc

        texts = batch.texts
        shows = pc.match_substring_regex(texts.values, VISIBLE).to_numpy(zero_copy_only=False)
        done = -1
        for place in np.flatnonzero(~shows).tolist():
            row = int(texts.rows[place])
            if row != done:
                done = row
                part = texts.parts[place].as_py()
                yield Issue(batch.numbers[row], f"A part of this row is empty: {part}.")
