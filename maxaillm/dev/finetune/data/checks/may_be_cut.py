"""Rows that a run may cut: longer than the maximum length is, unless it is raised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.text_search import chars_by_row
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import MessagesColumn


@checks.register
class MayBeCut(Check):
    label: ClassVar[str] = "Rows that may be cut"
    why: ClassVar[str] = "What lies behind a run's maximum length is never seen, nor learned."
    advice: ClassVar[str] = (
        "Raise data.max_length in the run; its preview says what is cut. Or split the rows."
    )

    name: Literal["may_be_cut"] = "may_be_cut"
    max_chars: int = Field(
        2_048,
        gt=0,
        title="Usual room for a row",
        description="512 tokens, as many as a run takes of a row unless it is told otherwise, of "
        "about four letters each.",
        json_schema_extra={"unit": "characters"},
    )
    min_share: float = Field(0.05, ge=0, le=1, title="Smallest share of the rows")
    _longer: int = PrivateAttr(0)
    _seen: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        """Of conversations: a document falls into pieces."""
        if batch.kind.columns_of(MessagesColumn):
            self._longer += int((chars_by_row(batch) > self.max_chars).sum())
            self._seen += len(batch)
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        if self._longer and self._longer >= self.min_share * self._seen:
            share = 100 * self._longer / self._seen
            message = (
                f"{self._longer:,} of {self._seen:,} rows ({share:.3g} %) have more than "
                f"{self.max_chars:,} characters, about 512 tokens: as much as a run takes of a row "
                "unless data.max_length is raised."
            )
            yield Issue(None, message)
