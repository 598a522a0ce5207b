"""Mask personal data: [EMAIL], [PHONE] where an address or a number stands."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, get_args

from pydantic import Field

from maxaillm.dev.finetune.data.analysis.personal_data import HINTS, Found, replaced
from maxaillm.dev.finetune.data.columns import Piece
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_texts

HINT = re.compile(HINTS)
KindName = Literal[
    "private_key", "api_key", "email", "iban", "card", "social_security_number", "phone"
]


@fixes.register
class MaskPersonalData(Fix):
    """Hides addresses, numbers and keys in every text; names are not found."""

    label: ClassVar[str] = "Mask personal data"
    summary: ClassVar[str] = (
        "Writes [EMAIL], [PHONE] and the like where an address, a number or a key stands."
    )

    name: Literal["mask_personal_data"] = "mask_personal_data"
    kinds: list[KindName] = Field(
        list(get_args(KindName)),
        min_length=1,
        title="What to mask",
        description="Sorts of personal data that can be told by their form or check digits.",
        json_schema_extra={"labels": {"iban": "Bank account (IBAN)", "api_key": "Access key"}},
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_texts(self.kind, example, self.masked)

    def masked(self, piece: Piece) -> str:
        text = piece.text
        if HINT.search(text) is None:
            return text

        def mask(found: Found) -> str:
            name = found.kind.name
            return f"[{name.upper()}]" if name in self.kinds else text[found.start : found.end]

        return replaced(text, mask)
