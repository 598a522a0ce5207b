"""Packing: several rows in one sequence, so that hardly a position is wasted on padding."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

OPEN_GROUPS = 256
"""So many groups of pairs are looked through for room; the oldest are as good as full."""
Lengths = npt.NDArray[np.int64]


def pack(lengths: Sequence[int] | Lengths, width: int) -> list[list[int]]:
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


def pack_pairs(read: Lengths, written: Lengths, width: int) -> list[list[int]]:
    """Groups of row numbers of which neither what is read nor what is written is longer than
    `width`: best fit by the fuller side, longest row first (vector bin packing)."""
    sizes = np.stack([read, written], 1)
    groups: list[list[int]] = []
    room = np.zeros((0, 2), np.int64)  # of the newest groups
    for row in np.argsort(-sizes.max(1), kind="stable").tolist():
        left = room - sizes[row]
        tightest = np.where((left >= 0).all(1), left.min(1), width + 1)
        place = int(tightest.argmin()) if len(tightest) else 0
        if not len(tightest) or tightest[place] > width:
            groups.append([])
            room = np.concatenate([room, [[width, width]]])[-OPEN_GROUPS:]
            place = len(room) - 1
        groups[len(groups) - len(room) + place].append(row)
        room[place] -= sizes[row]
    return groups
