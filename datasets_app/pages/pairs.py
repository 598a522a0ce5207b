"""Two rows beside each other, as findings about pairs name them: words that differ are marked."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from datasets_app.models import DatasetVersion, Finding
from maxaillm.dev.finetune.data.columns import PART_TITLES
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.store.store import RowStore, StoredRow

SHOWN_WORDS = 250
"""Of each row."""
SHOWN_PAIRS = 15
"""On a page: each takes two groups of rows to be read, which may be ten thousand each."""


class Words(NamedTuple):
    """Some words of a row; `differs` where the other one says something else there."""

    text: str
    differs: bool


class Pair(NamedTuple):
    """The row that a finding names, and the one that it is like."""

    row: int
    other: int
    row_words: list[Words]
    other_words: list[Words]


def with_pairs(
    version: DatasetVersion, findings: Iterable[Finding]
) -> list[tuple[Finding, Pair | None]]:
    """Each finding, and the two rows where it is about a pair of them that are there."""
    shown = list(findings)
    about = [finding for finding in shown if finding.row and finding.other][:SHOWN_PAIRS]
    numbers = {number for each in about for number in (each.row, each.other) if number}
    if not numbers or not version.is_ready:
        return [(finding, None) for finding in shown]
    store = RowStore(version.rows_path)
    rows = {row.number: row for row in store.at(store.places_of(sorted(numbers)).tolist())}
    return [(finding, pair_of(store.kind, finding, rows)) for finding in shown]


def pair_of(kind: type[Example], finding: Finding, rows: dict[int, StoredRow]) -> Pair | None:
    row, other = rows.get(finding.row or 0), rows.get(finding.other or 0)
    if row is None or other is None:
        return None
    left, right = words_of(kind, row), words_of(kind, other)
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    same_left = {at for block in blocks for at in range(block.a, block.a + block.size)}
    same_right = {at for block in blocks for at in range(block.b, block.b + block.size)}
    return Pair(row.number, other.number, marked(left, same_left), marked(right, same_right))


def words_of(kind: type[Example], row: StoredRow) -> list[str]:
    """The words of a row, the name of each part before it, and what is to be said of them."""
    words: list[str] = []
    for piece in kind.pieces_of(row.example):
        title = PART_TITLES.get(piece.part, piece.part)
        words += [f"{title}:", *piece.text[: 20 * SHOWN_WORDS].split()]
    labels = kind.labels_of(row.example) if kind.target_columns() else []
    words += ["Label:", ", ".join(labels)] if labels else []
    return [*words[:SHOWN_WORDS], "…"] if len(words) > SHOWN_WORDS else words


def marked(words: list[str], same: set[int]) -> list[Words]:
    """Words that follow each other and all differ, or all don't, together."""
    groups = groupby(enumerate(words), key=lambda each: each[0] not in same)
    return [Words(" ".join(word for _, word in group), differs) for differs, group in groups]
