"""MinHash signatures of rows: of two of them, the share of short pieces that the rows share.

A row's pieces are its windows of 8 bytes. 64 minima of their hashes are kept, of each 8 bits
(b-bit MinHash, Li and König 2010), and a number for every 4 of them, to find rows by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.data.store.batch import Batch

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = 8
MINIMA, BAND = 64, 4
SEED = 42
PART_BYTES = 2**20
"""So much text at a time; a row that has more is known by its beginning."""
SLOT_BITS = 20
COMMON_SHARE, COMMON_ROWS = 0.5, 50
Bytes = npt.NDArray[np.uint8]
Bands = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]
Windows = npt.NDArray[np.uint64]
Slots = npt.NDArray[np.bool_]


class Signatures(NamedTuple):
    """Of each row its minima, the number of each band, and how many windows it has."""

    minima: Bytes
    bands: Bands
    windows: Places


def signatures(batch: Batch, common: Slots | None = None) -> Signatures:
    """The signatures of the rows; windows in `common` are left out."""
    parts = [signatures_of(*part, common) for part in windows_of(batch)]
    return Signatures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def signatures_of(hashes: Windows, ends: Places, common: Slots | None) -> Signatures:
    from rensa import RMinHash

    if common is not None:
        own = ~common[slots_of(hashes)]
        hashes, ends = hashes[own], np.append(0, np.cumsum(own))[ends]
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, ends.astype(np.uint64), MINIMA, SEED
    )
    minima = np.array(matrix.to_rows(), np.uint32).reshape(len(ends) - 1, MINIMA)
    bands = np.zeros((len(minima), MINIMA // BAND), np.uint32)
    for place in range(BAND):
        bands = (bands ^ minima[:, place::BAND]) * np.uint32(0x9E3779B1)
        bands ^= bands >> np.uint32(15)
    return Signatures(minima.astype(np.uint8), bands, np.diff(ends))


def common_windows(batches: Sequence[Batch], rows: int) -> Slots | None:
    """The windows that many of the first `rows` rows have: a template, that likens all rows.

    A few others share their slots, one of a thousand where a template has a thousand windows.
    """
    count, room = np.zeros(2**SLOT_BITS, np.int64), rows
    for hashes, ends in (part for batch in batches for part in windows_of(batch)):
        whole = ends[: room + 1]
        owners = np.repeat(np.arange(len(whole) - 1), np.diff(whole))
        # np.unique would hash them, which takes twenty times as long as to sort
        pairs = np.sort((owners << SLOT_BITS) + slots_of(hashes[: whole[-1]]))
        own = pairs[np.diff(pairs, prepend=-1) != 0]
        count += np.bincount(own & (2**SLOT_BITS - 1), minlength=2**SLOT_BITS)
        room -= len(whole) - 1
    seen = rows - room
    common = count > max(COMMON_SHARE * seen, 1)
    return common if seen >= COMMON_ROWS and common.any() else None


def slots_of(hashes: Windows) -> Places:
    return (hashes >> np.uint64(64 - SLOT_BITS)).astype(np.int64)


def windows_of(batch: Batch) -> Iterator[tuple[Windows, Places]]:
    """The hashes of the windows, row by row; where each row's begin, and the last one's end.

    A window takes 8 bytes: so it is some rows at a time, with a few megabytes of text.
    """
    import pyarrow.compute as pc

    data, offsets = buffers_of(pc.utf8_lower(batch.texts.values))
    ends = offsets[np.searchsorted(batch.texts.rows, np.arange(len(batch) + 1), "left")]
    start = 0
    while start < len(batch):
        room = int(np.searchsorted(ends, ends[start] + PART_BYTES, "right"))
        stop = min(max(start + 1, room - 1), len(batch))
        within = np.minimum(ends[start : stop + 1] - ends[start], PART_BYTES)
        counts = np.maximum(np.diff(within) - WINDOW + 1, 0)
        text = data[ends[start] : ends[start] + within[-1]]
        yield window_hashes(text, within), np.append(0, np.cumsum(counts))
        start = stop


def window_hashes(data: Bytes, ends: Places) -> Windows:
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
