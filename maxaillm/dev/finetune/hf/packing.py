"""Fits several rows into one sequence, so that hardly a position is wasted on padding."""

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
    room: list[tuple[int, int]] = []  # (space left, group), sorted
    for row in order.tolist():
        need = int(lengths[row])
        place = bisect_left(room, (need, -1))
        if place == len(room):
            left, group = width, len(groups)
            groups.append([])
        else:
            left, group = room.pop(place)
        groups[group].append(row)
        insort(room, (left - need, group))
    return groups
