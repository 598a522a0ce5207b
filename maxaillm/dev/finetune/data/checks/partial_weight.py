"""Weights of messages between 0 and 1: here an answer is learned, or it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn


@checks.register
class PartialWeight(Check):
    label: ClassVar[str] = "Weights other than 0 and 1"
    why: ClassVar[str] = "A message is learned as a whole or not at all: only 0 leaves it out."
    advice: ClassVar[str] = "Write 0 or 1; repeat a row that is to count more."

    name: Literal["partial_weight"] = "partial_weight"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for column in batch.kind.columns_of(DialogueColumn):
            turns = batch.table[column.name].combine_chunks()
            lengths = turns.value_lengths().to_numpy(zero_copy_only=False)
            weights = turns.flatten().field("weight").to_numpy(zero_copy_only=False)
            partial = np.flatnonzero(~np.isnan(weights) & (weights != 0) & (weights != 1))
            rows, firsts = np.unique(
                np.repeat(np.arange(len(turns)), lengths)[partial], return_index=True
            )
            for row, place in zip(rows.tolist(), partial[firsts].tolist(), strict=True):
                message = f"A message has the weight {weights[place]:g}; it counts as 1."
                yield Issue(batch.numbers[row], message)
