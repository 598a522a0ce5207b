"""Trim texts: blanks around them, several blank lines, characters that show nothing."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.columns import Piece
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_texts

ZERO_WIDTH = re.compile("[\u200b\u2060\ufeff]")
"""The joiners U+200C and U+200D stay: emoji, Persian and the scripts of India need them."""
BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")


@fixes.register
class Trim(Fix):
    """Takes blanks away that nobody sees, from every text."""

    label: ClassVar[str] = "Trim blanks"
    summary: ClassVar[str] = "Removes outer blanks, repeated blank lines and invisible characters."

    name: Literal["trim"] = "trim"
    outer: bool = Field(
        True, title="Around a text", description="Blanks and line ends before and behind it."
    )
    blank_lines: bool = Field(
        True, title="Blank lines", description="Several in a row become one, in code, too."
    )
    zero_width: bool = Field(
        True,
        title="Invisible characters",
        description="Zero-width spaces, word joiners and byte order marks.",
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_texts(self.kind, example, self.trimmed)

    def trimmed(self, piece: Piece) -> str:
        text = piece.text
        if self.zero_width:
            text = ZERO_WIDTH.sub("", text)
        if self.blank_lines:
            text = BLANK_LINES.sub("\n\n", text)
        return text.strip() if self.outer else text
