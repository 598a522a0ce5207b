"""Finds rows that are nearly the same, by MinHash: the share of short pieces that two texts share.

A text's pieces are its windows of 8 bytes; 64 minima of their hashes are kept, of each 8 bits
(b-bit MinHash, Li and König 2010). Rows that agree in 4 minima in a row are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.row_batch import Batch

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = 8
MINIMA, BAND = 64, 4
SEED = 42
PART_BYTES, MOST_BYTES = 2 * 2**20, 4 * 2**20
"""A row of more text than MOST_BYTES is known by its beginning."""
CHUNK = 1_000_000
CHANCE = 1 / 256
"""How often 8 bits of two different minima are the same."""
Bytes = npt.NDArray[np.uint8]
Bands = npt.NDArray[np.uint32]


def sketches(batch: Batch) -> tuple[Bytes, Bands, npt.NDArray[np.int64]]:
    """For each row its minima, a number for each band of them, and how many windows it has."""
    import pyarrow.compute as pc

    data, offsets = buffers_of(pc.utf8_lower(batch.texts.values))
    ends = offsets[np.searchsorted(batch.texts.rows, np.arange(len(batch) + 1), "left")]
    parts = []
    start = 0
    while start < len(batch):  # a window takes 8 bytes: a few megabytes of text at a time
        room = int(np.searchsorted(ends, ends[start] + PART_BYTES, "right"))
        stop = min(max(start + 1, room - 1), len(batch))
        text = data[ends[start] : ends[stop]]
        parts.append(
            sketched(
                text[:MOST_BYTES], np.minimum(ends[start : stop + 1] - ends[start], MOST_BYTES)
            )
        )
        start = stop
    minima, bands, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    return minima, bands, counts


def sketched(
    data: Bytes, ends: npt.NDArray[np.int64]
) -> tuple[Bytes, Bands, npt.NDArray[np.int64]]:
    from rensa import RMinHash

    counts = np.maximum(np.diff(ends) - WINDOW + 1, 0)
    flat_ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    hashes = window_hashes(data, ends)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, flat_ends, MINIMA, SEED)
    minima = np.array(matrix.to_rows(), np.uint32).reshape(len(counts), MINIMA)
    bands = np.zeros((len(counts), MINIMA // BAND), np.uint32)
    for place in range(BAND):
        bands = (bands ^ minima[:, place::BAND]) * np.uint32(0x9E3779B1)
        bands ^= bands >> np.uint32(15)
    return minima.astype(np.uint8), bands, counts


def window_hashes(data: Bytes, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """The hashes of all windows that lie within a row, row by row."""
    if len(data) < WINDOW:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(data, WINDOW)
    hashes = np.array(windows, order="C").view(np.uint64).ravel()
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(29)
    is_within = np.ones(len(hashes), np.bool_)
    across = (ends[1:-1, None] - np.arange(1, WINDOW)).ravel()
    is_within[across[(across >= 0) & (across < len(hashes))]] = False
    return hashes[is_within]


def buffers_of(values: pa.StringArray) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The texts' bytes, one text after the other, and where each begins and the last one ends."""
    _, offsets, data = values.buffers()
    places = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4).astype(np.int64)
    if data is None or not len(values):
        return np.zeros(0, np.uint8), np.zeros(len(values) + 1, np.int64)
    return np.frombuffer(data, np.uint8, places[-1] - places[0], places[0]), places - places[0]


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
