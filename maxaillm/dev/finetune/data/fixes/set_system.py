"""Set the system prompt of conversations."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import has_system, with_system


@fixes.register
class SetSystem(Fix):
    """Opens every conversation with the same system prompt."""

    label: ClassVar[str] = "Set the system prompt"
    summary: ClassVar[str] = "Opens every conversation with this system prompt."

    name: Literal["set_system"] = "set_system"
    prompt: str = Field(
        min_length=1,
        max_length=100_000,
        title="System prompt",
        description="How the model is to behave, in every conversation.",
        json_schema_extra={"multiline": True},
    )
    only_missing: bool = Field(
        False,
        title="Only where there is none",
        description="Leave the system prompts alone that are there.",
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        if self.only_missing and has_system(self.kind, example):
            return example
        return with_system(self.kind, example, self.prompt)
