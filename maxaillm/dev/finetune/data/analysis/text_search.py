"""Text search in a batch: Arrow picks the few that match a pattern, Python looks at those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from maxaillm.dev.finetune.data.store.batch import Batch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")


def places_of(
    batch: Batch, pattern: str, among: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int64]:
    """The places of the texts in which RE2 finds `pattern`; only those marked in `among`."""
    import numpy as np
    import pyarrow.compute as pc

    values = batch.texts.values
    places = np.arange(len(values)) if among is None else np.flatnonzero(among)
    if among is not None:
        values = values.take(places)
    found = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
    matching: npt.NDArray[np.int64] = places[found]
    return matching


def not_ascii(batch: Batch) -> npt.NDArray[np.bool_]:
    """The texts with letters that aren't ASCII."""
    import pyarrow.compute as pc

    is_ascii: npt.NDArray[np.bool_] = pc.string_is_ascii(batch.texts.values).to_numpy(
        zero_copy_only=False
    )
    return ~is_ascii


class Hit(NamedTuple):
    """A text that was found."""

    row: int
    """The place of its row within the batch, from 0."""
    at: int
    """Its place among all texts of the batch."""
    text: str


def hits(batch: Batch, pattern: str, among: npt.NDArray[np.bool_] | None = None) -> Iterator[Hit]:
    """The texts in which RE2 finds `pattern`, in their order; only those marked in `among`."""
    texts = batch.texts
    places = places_of(batch, pattern, among)
    for place, row in zip(places.tolist(), texts.rows[places].tolist(), strict=True):
        yield Hit(row, place, texts.values[place].as_py())


def first_of_each_row(
    found: Iterator[Hit], look: Callable[[str], T | None]
) -> Iterator[tuple[int, T]]:
    """For each row the first thing that `look` sees in one of its texts, if it sees any."""
    done = -1
    for row, _at, text in found:
        if row != done and (seen := look(text)) is not None:
            done = row
            yield row, seen


def chars_by_row(batch: Batch) -> npt.NDArray[np.int64]:
    """How many characters the texts of each row have."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = pc.utf8_length(batch.texts.values).to_numpy(zero_copy_only=False)
    return np.bincount(batch.texts.rows, lengths, len(batch)).astype(np.int64)


def lengths_of(batch: Batch) -> npt.NDArray[np.int64]:
    """How many characters each text has."""
    import pyarrow.compute as pc

    lengths: npt.NDArray[np.int64] = pc.utf8_length(batch.texts.values).to_numpy(
        zero_copy_only=False
    )
    return lengths
