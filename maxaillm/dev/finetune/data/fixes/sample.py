"""Sample rows by chance: so many, or such a share."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.fixes.shared.sampling import SelectionSampling


@fixes.register
class Sample(Fix):
    """Draws rows by chance, each as likely as any other; the same seed draws the same."""

    label: ClassVar[str] = "Draw a sample"
    summary: ClassVar[str] = "Keeps so many rows, or such a share, drawn by chance."
    looks_ahead: ClassVar[bool] = True

    name: Literal["sample"] = "sample"
    rows: int | None = Field(
        None,
        ge=1,
        title="Rows",
        description="How many to keep. Where there are fewer, all stay.",
        json_schema_extra={"unit": "rows"},
    )
    share: float | None = Field(
        None, gt=0, lt=1, title="Share", description="Which part to keep: 0.1 is a tenth."
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, title="Seed", description="Another seed draws other rows."
    )
    _seen: int = PrivateAttr(0)
    _draw: SelectionSampling = PrivateAttr()

    @model_validator(mode="after")
    def is_one_of_both(self) -> Self:
        if (self.rows is None) == (self.share is None):
            raise ValueError("Give either a number of rows or a share.")
        return self

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        self._seen += not is_locked

    def begin(self, flagged: Collection[int] = ()) -> None:
        wanted = self.rows if self.rows is not None else round((self.share or 0) * self._seen)
        self._draw = SelectionSampling(wanted, self._seen, self.seed)

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return example if self._draw.takes_next() else None
