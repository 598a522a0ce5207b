"""Packing: several rows in one sequence, so that hardly a position is wasted on padding."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def pack(lengths: Sequence[int] | npt.NDArray[np.int64], width: int) -> list[list[int]]:
    """Groups of row numbers whose lengths sum to at most `width`: best fit, longest row first.

    Best-fit decreasing (Johnson 1974) needs at most 11/9 of the fewest possible groups. Rows of
    equal length stay in order, so the same data always pack the same way.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    groups: list[list[int]] = []
    with_room: dict[int, list[int]] = {}  # space left -> groups
    spaces: list[int] = []  # the keys, sorted: never more than `width`
    for row in order.tolist():
        need = int(lengths[row])
        place = bisect_left(spaces, need)
        if place < len(spaces):
            space = spaces[place]
            group = with_room[space].pop()
            if not with_room[space]:
                del with_room[space], spaces[place]
        else:
            space, group = width, len(groups)
            groups.append([])
        groups[group].append(row)
        left = space - need
        if left not in with_room:
            with_room[left] = []
            insort(spaces, left)
        with_room[left].append(group)
    return groups
