"""Drop the system prompt of conversations."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import has_system, with_system


@fixes.register
class DropSystem(Fix):
    """Takes the system prompt out of every conversation."""

    label: ClassVar[str] = "Remove system prompts"
    summary: ClassVar[str] = "Takes the system prompt out of every conversation."

    name: Literal["drop_system"] = "drop_system"

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_system(self.kind, example, "") if has_system(self.kind, example) else example
