"""Data leakage: rows for validation or test whose question is also in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.hashes import question_hashes
from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

SPLITS = ("train", "validation", "test")


@checks.register
class Leakage(Check):
    """Of two splits with the same question, the row in the later one is named."""

    label: ClassVar[str] = "The same in training and in the test"
    why: ClassVar[str] = "What was learned by heart measures nothing: the test looks too good."
    advice: ClassVar[str] = "Drop it here, or keep the same question in one split."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["leakage"] = "leakage"
    _rows: RowArrays = PrivateAttr(default_factory=RowArrays)
    _is_split: bool = PrivateAttr(False)

    def see(self, batch: Batch) -> Iterator[Issue]:
        splits = np.array([SPLITS.index(split) for split in batch.splits], np.int8)
        self._is_split = self._is_split or bool(splits.any())
        self._rows.add(np.array(batch.numbers, np.int64), question_hashes(batch), splits)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if not self._is_split:
            return
        numbers, questions, splits = self._rows.whole()
        order = np.lexsort((numbers, splits, questions))
        is_start = np.append(True, np.diff(questions[order]) != 0)
        earliest = np.empty(len(order), np.int64)
        earliest[order] = order[is_start][np.cumsum(is_start) - 1]
        leaks = (splits > splits[earliest]) & (questions != 0)
        for place in np.flatnonzero(leaks).tolist():
            first = earliest[place]
            message = f"Row {numbers[first]} of {SPLITS[splits[first]]} asks the same."
            yield Issue(int(numbers[place]), message, other=int(numbers[first]))
