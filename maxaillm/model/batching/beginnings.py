"""Prompts that begin alike: what an earlier one left in a slot is not computed again.

Keys and values depend on all tokens before them and on the adapter, on nothing else. So the next
question of a chat, or another one under the same system prompt, begins where its text differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from maxaillm.model.batching.batched_answer import BatchedAnswer
from maxaillm.model.batching.slots import Slots

WORTH_COPYING = 32
"""Positions; fewer are computed about as fast as copied."""
KEPT_BYTES = 64 * 2**20
"""What slots may hold while nobody is answered."""


class Beginnings:
    """Which tokens lie in slots that nobody uses any more."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.left: dict[int, tuple[list[int], str | None]] = {}

    def keep(self, row: BatchedAnswer, slot: int) -> None:
        """Note what an answer left in a slot."""
        self.left[slot] = (row.tokens[: row.cached], row.adapter)

    def lay(self, row: BatchedAnswer, rows: Sequence[BatchedAnswer], slot: int) -> int:
        """Have the slot begin with what others computed already; how many positions that is. The
        last token is always left: what follows it is to be found out."""
        best, source = 0, slot
        if not row.echo:
            for place, tokens, adapter in self.held(rows):
                if adapter == row.adapter:
                    alike = common(row.tokens[:-1], tokens)
                    best, source = max((best, source), (alike, place))
        self.left.pop(slot, None)
        if best < WORTH_COPYING:
            return 0
        if source != slot:
            self.slots.copy(source, slot, best)
        return best

    def held(self, rows: Sequence[BatchedAnswer]) -> Iterator[tuple[int, list[int], str | None]]:
        for slot, row in enumerate(rows):
            yield slot, row.tokens[: row.cached], row.adapter
        for slot, (tokens, adapter) in self.left.items():
            yield slot, tokens, adapter

    def forget(self, adapter: str) -> None:
        """The adapter goes; another one may come under its name."""
        self.left = {slot: held for slot, held in self.left.items() if held[1] != adapter}

    def trim(self) -> None:
        """Give memory back that is more than a beginning is worth."""
        if self.slots.count * self.slots.length * self.slots.position_bytes > KEPT_BYTES:
            self.left.clear()
            self.slots.clear()


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    count = min(len(one), len(other))
    if not count or one[0] != other[0]:
        return 0
    differ = np.asarray(one[:count]) != np.asarray(other[:count])
    return int(differ.argmax()) if differ.any() else count
