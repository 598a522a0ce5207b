"""Jain's index: how evenly something is shared (Jain, Chiu and Hawe, 1984)."""

from __future__ import annotations

from collections.abc import Sequence


def jain(parts: Sequence[float]) -> float:
    """(Σx)² / (n·Σx²): 1 where all are equal, 1/n where one has all."""
    return sum(parts) ** 2 / (len(parts) * sum(part**2 for part in parts))
