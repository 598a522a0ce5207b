"""Find and replace: one piece of text by another, wherever it stands."""

from __future__ import annotations

import re
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.columns import Piece
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS
from maxaillm.dev.finetune.data.store.changes import with_texts
from maxaillm.dev.finetune.errors import DataError


@fixes.register
class ReplaceText(Fix):
    """Finds a text as it is written and puts another in its place."""

    label: ClassVar[str] = "Find and replace"
    summary: ClassVar[str] = "Puts another text wherever a certain one stands."

    name: Literal["replace_text"] = "replace_text"
    find: str = Field(
        min_length=1, max_length=10_000, title="Find", description="The text as it is written."
    )
    replace: str = Field(
        "",
        max_length=10_000,
        title="Replace by",
        description="What is to stand there. Empty: what was found is taken out.",
    )
    ignore_case: bool = Field(
        False, title="Capitals or not", description="Find it in capitals and small letters alike."
    )
    only_learned: bool = Field(
        False,
        title="Only in answers",
        description="Leave everything alone that the model does not learn to write.",
    )

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.find), re.IGNORECASE if self.ignore_case else 0)

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_texts(self.kind, example, self.replaced)

    def replaced(self, piece: Piece) -> str:
        if self.only_learned and not piece.is_learned:
            return piece.text
        found = sum(1 for _ in self.pattern.finditer(piece.text))
        if len(piece.text) + found * (len(self.replace) - len(self.find)) > RECORD_CHARS:
            raise DataError(
                f"A row would have more than {RECORD_CHARS:,} characters: “{self.find[:40]}” "
                f"stands there {found:,} times.",
                "Replace it by something shorter.",
                code="record_too_long",
            )
        return self.pattern.sub(lambda _found: self.replace, piece.text)
