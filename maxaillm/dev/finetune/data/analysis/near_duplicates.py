"""Near duplicates: rows that resemble each other by their MinHash signatures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.data.analysis.minhash import Bands, Bytes

CHUNK = 1_000_000
CHANCE = 1 / 256
"""How often 8 bits of two different minima are the same."""


def similar_rows(
    minima: Bytes, bands: Bands, threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each row an earlier one that it resembles, itself where there is none; and how much."""
    found = np.arange(len(minima))
    similarity = np.zeros(len(minima))
    for rows, others in candidates(bands):
        is_new = found[rows] == rows
        later, earlier = rows[is_new], others[is_new]
        alike = similarities(minima, later, earlier)
        good = alike >= threshold
        found[later[good]], similarity[later[good]] = earlier[good], alike[good]
    return found, similarity


def candidates(bands: Bands) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows that agree in a band: each with the first of them, and with the one before it."""
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        in_order = band[order]
        is_start = np.append(True, in_order[1:] != in_order[:-1])[: len(order)]
        starts = order[is_start][np.cumsum(is_start) - 1]
        later = order[~is_start]
        yield later, starts[~is_start]
        yield later, order[np.flatnonzero(~is_start) - 1]


def similarities(
    minima: Bytes, some: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The estimated share of windows that the rows of each pair have in common."""
    shares = np.empty(len(some))
    for start in range(0, len(some), CHUNK):
        part = slice(start, start + CHUNK)
        shares[part] = (minima[some[part]] == minima[others[part]]).mean(axis=1)
    return (shares - CHANCE) / (1 - CHANCE)
