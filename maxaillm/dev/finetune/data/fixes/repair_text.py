"""Repair mojibake: "cafÃ©", read in the wrong encoding, becomes "café"."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.data.columns import Piece
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_texts

if TYPE_CHECKING:
    from ftfy import TextFixerConfig


@fixes.register
class RepairText(Fix):
    """Undoes a wrong encoding where one is certain, and touches nothing else."""

    label: ClassVar[str] = "Repair the encoding"
    summary: ClassVar[str] = "Repairs texts that were read in the wrong encoding: cafÃ© → café."

    name: Literal["repair_text"] = "repair_text"

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_texts(self.kind, example, repaired)


def repaired(piece: Piece) -> str:
    if piece.text.isascii():
        return piece.text  # nothing to repair, and ten times as fast
    import ftfy

    return ftfy.fix_text(piece.text, only_encoding())


@cache
def only_encoding() -> TextFixerConfig:
    """ftfy's repair of encodings without its taste in quotes, ligatures, widths and line ends."""
    import ftfy

    return ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
