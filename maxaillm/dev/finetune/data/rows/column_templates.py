"""Templates over columns: `{title}\\n\\n{body}` makes one text of several cells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

TEMPLATE_CHARS = 2_000
PLACEHOLDERS = 50
TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
"""A brace written twice stands for itself. Nothing but names stands between braces: unlike
`str.format`, which would follow attributes of whatever the cell holds."""


class Piece(NamedTuple):
    """What a template consists of: text as it stands, or the cell of a column."""

    text: str
    is_column: bool


@lru_cache(maxsize=256)
def pieces_of(template: str) -> tuple[Piece, ...]:
    pieces, end = [], 0
    for token in TOKEN.finditer(template):
        literal = template[end : token.start()]
        pieces.append(Piece(literal if token[1] else literal + token[0][0], is_column=False))
        if token[1]:
            pieces.append(Piece(token[1], is_column=True))
        end = token.end()
    return (*pieces, Piece(template[end:], is_column=False))


@lru_cache(maxsize=256)
def columns_in(template: str) -> tuple[str, ...]:
    """The columns that `template` is made of, each once; of a column's name none."""
    return tuple(dict.fromkeys(text for text, is_column in pieces_of(template) if is_column))


def mistake_in(template: str) -> str | None:
    """What is wrong with the way `template` is written, or None."""
    if len(template) > TEMPLATE_CHARS:
        return f"A template may have {TEMPLATE_CHARS:,} characters, this one has {len(template):,}."
    if any(token[0] in ("{", "}") for token in TOKEN.finditer(template)):
        return "A single brace names no column. Write {column}, or the brace twice."
    if sum(piece.is_column for piece in pieces_of(template)) > PLACEHOLDERS:
        return f"A template may name {PLACEHOLDERS} columns."
    return None
