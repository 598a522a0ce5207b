"""Shares of the splits: how many rows go into test and validation, and which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]


def apportioned(share: float, sizes: Mapping[str, int], room: Mapping[str, int]) -> dict[str, int]:
    """`share` of the whole dealt out to classes of these sizes: largest remainders (Hamilton).

    Each class gets its share within one row, and no more than it has room for.
    """
    exact = {name: share * size for name, size in sizes.items()}
    dealt = {name: min(int(part + 1e-9), room[name]) for name, part in exact.items()}
    left = round(share * sum(sizes.values())) - sum(dealt.values())
    for name in sorted(exact, key=lambda name: (dealt[name] - exact[name], name)):
        if left > 0 and dealt[name] < min(exact[name], room[name]):
            dealt[name] += 1
            left -= 1
    return dealt


@dataclass
class Cut:
    """Takes the lowest of some hashes: those below `limit`, and so many of those at it."""

    limit: int = 0
    at_limit: int = 0

    def takes(self, number: int) -> bool:
        if number == self.limit and self.at_limit:
            self.at_limit -= 1
            return True
        return number < self.limit


def cuts(ordered: Hashes, sizes: Iterable[int]) -> list[Cut]:
    """A cut for each of the sizes, to be asked in this order, each behind the one before."""
    made, begin = [], 0
    for size in sizes:
        part = ordered[begin : begin + size]
        made.append(Cut(int(part[-1]), int((part == part[-1]).sum())) if len(part) else Cut())
        begin += len(part)
    return made


def groups_of_size(groups: dict[int, int], wanted: int) -> list[int]:
    """Groups, each with its size, that together have `wanted` rows as nearly as they allow.

    They are taken in their order as long as they fit, and never all of them.
    """
    taken, left = [], wanted
    for group, size in groups.items():
        if size <= left:
            taken.append(group)
            left -= size
        if left <= 0:
            return taken
    rest = groups.keys() - set(taken)
    nearest = min(rest, key=lambda group: (groups[group], group), default=None)
    if nearest is not None and groups[nearest] < 2 * left and len(rest) > 1:
        taken.append(nearest)
    return taken
