"""Figures in the sentences of a verdict: few digits, and never long."""

from __future__ import annotations

MOST = 1e7
"""From here on in powers of ten."""


def figure(value: float, digits: int = 3) -> str:
    """`7.02`, `149`, `12,300`, `3.9e60`."""
    if not abs(value) < MOST:
        return f"{value:.1e}".replace("e+", "e")
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"
