"""Drop the rows that findings name."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes


@fixes.register
class DropRows(Fix):
    """Of rows that are the same, only the later ones have a finding: so one of them stays."""

    label: ClassVar[str] = "Drop the rows"
    summary: ClassVar[str] = "Leaves out the rows that the findings name."
    needs_findings: ClassVar[bool] = True

    name: Literal["drop_rows"] = "drop_rows"
    _flagged: frozenset[int] = PrivateAttr(frozenset())

    def begin(self, flagged: Collection[int] = ()) -> None:
        self._flagged = frozenset(flagged)

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return None if number in self._flagged else example
