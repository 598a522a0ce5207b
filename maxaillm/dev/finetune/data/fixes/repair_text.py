"""Repair mojibake: "cafÃ©", read in the wrong encoding, becomes "café"."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.encoding_repair import repaired
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_texts


@fixes.register
class RepairText(Fix):
    """Undoes a wrong encoding where one is certain, and touches nothing else."""

    label: ClassVar[str] = "Repair the encoding"
    summary: ClassVar[str] = "Repairs texts that were read in the wrong encoding: cafÃ© → café."

    name: Literal["repair_text"] = "repair_text"

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_texts(self.kind, example, lambda piece: repaired(piece.text))
