"""Hashes of texts and rows: equal rows have equal ones, others practically never.

They are of 64 bits and of one process: two of a million rows that differ have the same number
once in 30 million datasets.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, DialogueColumn
from maxaillm.dev.finetune.data.store.batch import Batch

if TYPE_CHECKING:
    import pyarrow as pa

Hashes = npt.NDArray[np.uint64]


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
    texts = batch.texts
    place = np.arange(len(texts.rows)) - np.searchsorted(texts.rows, texts.rows, "left")
    role = (place * 4 + texts.is_learned * 2 + texts.is_wanted).astype(np.uint64)
    parts = texts.parts.dictionary_encode()
    names = hashes_of(parts.dictionary)[parts.indices.to_numpy()]
    return mixed(hashes ^ mixed(role + np.uint64(1)) ^ names)


@lru_cache(maxsize=1)  # several checks ask for the same batch, one after the other
def text_hashes(batch: Batch) -> Hashes:
    """A number for the texts of each row."""
    return sums_by_row(batch, in_order(batch, hashes_of(batch.texts.values)))


def row_hashes(batch: Batch) -> Hashes:
    """A number for each whole row: texts, labels, split."""
    splits = np.fromiter(map(hash, batch.splits), np.int64, len(batch)).view(np.uint64)
    hashes = mixed(text_hashes(batch) ^ mixed(splits))
    if batch.kind.target_columns():
        hashes = mixed(hashes ^ mixed(target_hashes(batch)))
    return hashes


def target_hashes(batch: Batch) -> Hashes:
    """A number for the labels and scores of each row; the same in all rows of a kind without."""
    columns = batch.kind.target_columns()
    facts = (hash(tuple(own.fact(row) for own in columns)) for row in batch.examples)
    return np.fromiter(facts, np.int64, len(batch)).view(np.uint64)


@lru_cache(maxsize=1)
def folded_hashes(batch: Batch) -> Hashes:
    """A number for each text; case and blanks around it don't count."""
    return hashes_of(folded(batch.texts.values))


def question_hashes(batch: Batch) -> Hashes:
    """A number for what each row asks: all before its last answer, or the text to be classified.

    Case and blanks around a text don't count. 0 where a row asks nothing.
    """
    ordered = in_order(batch, folded_hashes(batch))
    return sums_by_row(batch, np.where(is_question(batch), ordered, np.uint64(0)))


def is_question(batch: Batch) -> npt.NDArray[np.bool_]:
    """For each text whether it belongs to what its row asks."""
    texts = batch.texts
    if batch.kind.columns_of(DialogueColumn):
        is_last = np.append(texts.rows[1:] != texts.rows[:-1], True)[: len(texts.rows)]
        return ~is_last
    if batch.kind.columns_of(AnswerColumn):
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
