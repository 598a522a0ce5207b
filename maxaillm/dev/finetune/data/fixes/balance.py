"""Balance classes: make large ones smaller, so that each counts about as much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.fixes.shared.sampling import SelectionSampling


@fixes.register
class Balance(Fix):
    """Draws rows of the large classes by chance; rows with several labels, or none, stay."""

    label: ClassVar[str] = "Balance classes"
    summary: ClassVar[str] = (
        "Leaves out rows of large classes, drawn by chance, until none is so many times as large "
        "as the smallest."
    )
    looks_ahead: ClassVar[bool] = True

    name: Literal["balance"] = "balance"
    factor: float = Field(
        1.0,
        ge=1,
        le=10_000,
        title="Largest to smallest",
        description="A class may have so many times the rows of the smallest one.",
    )
    at_least: int = Field(
        1,
        ge=1,
        title="Rows that stay",
        description="No class is cut below this, however small the smallest one is.",
        json_schema_extra={"unit": "rows"},
    )
    only_train: bool = Field(
        True,
        title="Only the train split",
        description="What measures the model is to look like the world, not balanced.",
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, title="Seed", description="Another seed draws other rows."
    )
    _rows: Counter[str] = PrivateAttr(default_factory=Counter)
    _draws: dict[str, SelectionSampling] = PrivateAttr(default_factory=dict)

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        label = self.class_of(example)
        if label is not None and not is_locked:
            self._rows[label] += 1

    def begin(self, flagged: Collection[int] = ()) -> None:
        limit = max(round(min(self._rows.values(), default=0) * self.factor), self.at_least)
        self._draws = {
            label: SelectionSampling(limit, rows, f"{self.seed} {label}")
            for label, rows in self._rows.items()
        }

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        label = self.class_of(example)
        return example if label is None or self._draws[label].takes_next() else None

    def class_of(self, example: StoredExample) -> str | None:
        """Its class, where it has just one and is among those to be balanced."""
        if self.only_train and example.get("split", "train") != "train":
            return None
        labels = self.kind.classes_of(example)
        return labels[0] if len(labels) == 1 else None
