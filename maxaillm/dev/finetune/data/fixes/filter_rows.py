"""Filter rows: keep those that a query finds, or leave them out."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.query import RowQuery


@fixes.register
class FilterRows(Fix):
    """Keeps the rows that meet certain conditions, or leaves them out."""

    label: ClassVar[str] = "Filter rows"
    summary: ClassVar[str] = "Keeps the rows that a query finds, or leaves them out."

    name: Literal["filter_rows"] = "filter_rows"
    action: Literal["keep", "drop"] = Field(
        "drop",
        title="What to do",
        description="With the rows that meet all the conditions below.",
        json_schema_extra={"labels": {"keep": "Keep only them", "drop": "Leave them out"}},
    )
    query: RowQuery = Field(
        default_factory=RowQuery, title="Rows", description="The conditions that a row meets."
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        is_meant = self.query.matches(self.kind, example)
        return example if is_meant == (self.action == "keep") else None
