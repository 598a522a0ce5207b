"""Rename labels; two that get the same name become one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_labels


@fixes.register
class RenameLabels(Fix):
    """Gives classes, or the tags of words, other names."""

    label: ClassVar[str] = "Rename labels"
    summary: ClassVar[str] = "Gives labels other names; two with the same new name become one."

    name: Literal["rename_labels"] = "rename_labels"
    names: dict[str, str] = Field(
        min_length=1,
        title="New names",
        description="One a line: the label as it is, a colon, the label as it is to be.",
        json_schema_extra={"example": "0: negative"},
    )

    @field_validator("names")
    @classmethod
    def are_visible(cls, names: dict[str, str]) -> dict[str, str]:
        blank = [label for label, name in names.items() if not name.strip()]
        if blank:
            raise ValueError(f"The label {blank[0]!r} needs a new name.")
        return names

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_labels(self.kind, example, lambda label: self.names.get(label, label))
