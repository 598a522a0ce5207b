"""Numbers that stand for texts and rows: equal rows have equal ones, others practically never.

They are of 64 bits and of one process: two of a million rows that differ have the same number
once in 30 million datasets.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.data.formats import Conversation, Judged, Preference, Text
from maxaillm.dev.finetune.data.store.batch import Batch, StoredExample

if TYPE_CHECKING:
    import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
PARTS = ("system", "user", "assistant", "tool", "text", "pair")


def hashes_of(values: pa.StringArray) -> Hashes:
    numbers = np.fromiter(map(hash, values.to_pylist()), np.int64, len(values))
    return numbers.view(np.uint64)


def folded(values: pa.StringArray) -> pa.StringArray:
    """The texts in small letters, without blanks around them."""
    import pyarrow.compute as pc

    return pc.utf8_trim_whitespace(pc.utf8_lower(values))


def mixed(numbers: Hashes) -> Hashes:
    """Each number scattered over 64 bits, so that sums of them don't collide (splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def sums_by_row(batch: Batch, numbers: Hashes) -> Hashes:
    """For each row the sum over its texts; 0 where it has none."""
    running: Hashes = np.concatenate([np.zeros(1, np.uint64), np.cumsum(numbers, dtype=np.uint64)])
    rows = np.arange(len(batch))
    starts = np.searchsorted(batch.texts.rows, rows, "left")
    ends = np.searchsorted(batch.texts.rows, rows, "right")
    sums: Hashes = running[ends] - running[starts]
    return sums


def in_order(batch: Batch, hashes: Hashes) -> Hashes:
    """For each text a number that also stands for its place in its row and what it is there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = batch.texts
    place = np.arange(len(texts.rows)) - np.searchsorted(texts.rows, texts.rows, "left")
    parts = pc.index_in(texts.parts, pa.array(PARTS)).to_numpy(zero_copy_only=False)
    role = (place * 32 + parts * 4 + texts.is_learned * 2 + texts.is_wanted).astype(np.uint64)
    return mixed(hashes ^ mixed(role + np.uint64(1)))


@lru_cache(maxsize=1)  # several checks ask for the same batch, one after the other
def text_hashes(batch: Batch) -> Hashes:
    """A number for the texts of each row."""
    return sums_by_row(batch, in_order(batch, hashes_of(batch.texts.values)))


def row_hashes(batch: Batch) -> Hashes:
    """A number for each whole row: texts, labels, split."""
    texts = text_hashes(batch)
    if batch.kind in (Conversation, Preference, Text):
        facts = np.fromiter(map(hash, batch.splits), np.int64, len(batch))
    else:
        facts = np.fromiter((hash(facts_of(row)) for row in batch.examples), np.int64, len(batch))
    return mixed(texts ^ mixed(facts.view(np.uint64)))


def facts_of(example: StoredExample) -> tuple[Any, ...]:
    """What a row holds beside its texts."""
    get = example.get
    lists = (tuple(get("labels", ())), tuple(get("tags", ())))
    return get("split"), get("label"), get("score"), get("desirable"), *lists


@lru_cache(maxsize=1)
def folded_hashes(batch: Batch) -> Hashes:
    """A number for each text; case and blanks around it don't count."""
    return hashes_of(folded(batch.texts.values))


def question_hashes(batch: Batch) -> Hashes:
    """A number for what each row asks: all before its last answer, or the text to be judged.

    Case and blanks around a text don't count. 0 where a row asks nothing.
    """
    ordered = in_order(batch, folded_hashes(batch))
    return sums_by_row(batch, np.where(is_question(batch), ordered, np.uint64(0)))


def is_question(batch: Batch) -> npt.NDArray[np.bool_]:
    """For each text whether it belongs to what its row asks."""
    texts = batch.texts
    if batch.kind is Conversation:
        is_last = np.append(texts.rows[1:] != texts.rows[:-1], True)[: len(texts.rows)]
        return ~is_last
    if batch.kind in (Preference, Judged):
        return ~texts.is_learned
    return np.ones(len(texts.rows), np.bool_)


def first_places(hashes: Hashes) -> npt.NDArray[np.int64]:
    """For each place the first one with the same number: its own where none comes before."""
    order = np.argsort(hashes, kind="stable")
    in_groups = hashes[order]
    is_start = np.append(True, in_groups[1:] != in_groups[:-1])[: len(hashes)]
    starts = order[is_start]
    group = np.cumsum(is_start) - 1
    first = np.empty(len(hashes), np.int64)
    first[order] = starts[group] if len(starts) else 0
    return first
