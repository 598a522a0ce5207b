"""Ways to make one adapter of several, by PEFT's names."""

from __future__ import annotations

from typing import NamedTuple


class Merge(NamedTuple):
    label: str
    text: str
    drops: bool
    """Whether it keeps a share of the entries only: the density."""


MERGES = {
    "linear": Merge("Linear", "The weighted sum of the adapters' matrices.", drops=False),
    "ties": Merge(
        "TIES",
        "Keeps the largest entries, lets each entry's sign be voted on, and adds up what agrees.",
        drops=True,
    ),
    "dare_linear": Merge(
        "DARE", "Drops entries at random and scales up the rest, then adds up.", drops=True
    ),
    "dare_ties": Merge(
        "DARE with TIES", "Drops entries at random, then votes on signs as TIES does.", drops=True
    ),
}
DENSITY = 0.5
"""The share of entries that are kept where nothing else is asked for."""
