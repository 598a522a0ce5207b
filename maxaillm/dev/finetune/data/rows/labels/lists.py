"""Lists of labels, and those that a cell writes as one text: "a,b", "a|b", "['a', 'b']"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.rows.labels.tags import are_tags
from maxaillm.dev.finetune.data.rows.labels.texts import are_numbers
from maxaillm.dev.finetune.data.rows.values import Row, is_mostly, items_of

SEPARATORS = ("|", ";", ",", "/", "\n")
PIECE_CHARS, PIECE_WORDS = 40, 4
"""Longer pieces are sentences with commas in them, not labels."""
SURE, LIKELY = 0.6, 0.3
"""So many of the pieces must occur in other cells, too."""


class Separator(NamedTuple):
    """What divides the labels of a cell."""

    text: str
    is_sure: bool
    """Whether the cells can hardly be names of single classes."""


def labels_in(value: Any, separator: str | None) -> list[Any] | None:
    """The labels in a cell: of a list, or of a text with something between them; else None."""
    items = items_of(value)
    if items is not None or separator is None or not isinstance(value, str):
        return items
    return [label.strip() for label in value.split(separator) if label.strip()]


def separator_of(sample: Sequence[Row], column: str) -> Separator | None:
    """What divides labels in this column, where cells name several; None where each is a name."""
    if is_mostly(sample, lambda row: items_of(row.get(column)) is not None):
        return None
    if are_numbers(sample, column):
        return None  # 3,5 is one
    cells = {value.strip() for row in sample if isinstance(value := row.get(column), str)}
    found = [one for text in SEPARATORS if (one := divided_by(text, cells - {""})) is not None]
    return next((one for one in found if one.is_sure), next(iter(found), None))


def divided_by(separator: str, cells: set[str]) -> Separator | None:
    """Whether some cells are combinations of labels that others have alone or combine anew."""
    combined = {cell for cell in cells if separator in cell.strip(separator)}
    pieces = {cell: list(filter(None, map(str.strip, cell.split(separator)))) for cell in combined}
    if not combined or not all(is_label(piece) for each in pieces.values() for piece in each):
        return None
    if all(map(are_tags, pieces.values())):
        return None  # a tag for each word
    cells_with: dict[str, set[str]] = defaultdict(set)
    places: dict[str, set[int]] = defaultdict(set)
    for cell, each in pieces.items():
        for place, piece in enumerate(each):
            cells_with[piece].add(cell)
            places[piece].add(place)
    for cell in cells - combined:
        cells_with[cell].add(cell)
        places[cell].add(-1)
    named = [piece for each in pieces.values() for piece in each]
    share = sum(len(cells_with[piece]) > 1 for piece in named) / len(named)
    moves = any(len(places[piece]) > 1 for piece in named)
    if share < LIKELY:
        return None
    return Separator(separator, is_sure=share >= SURE and moves and separator != "/")


def is_label(piece: str) -> bool:
    return 0 < len(piece) <= PIECE_CHARS and len(piece.split()) <= PIECE_WORDS
