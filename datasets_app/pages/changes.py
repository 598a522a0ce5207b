"""What a fix would do to a version, before it does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from datasets_app.models import DatasetVersion
from datasets_app.pages.rows import RowCard, row_card
from datasets_app.storage.findings import flagged_rows
from maxaillm.dev.finetune.data.checks import are_about_rows
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.fixes import Fix
from maxaillm.dev.finetune.data.recipes.recipe import Change, preview
from maxaillm.dev.finetune.data.store.store import RowStore, StoredRow

SHOWN_CHANGES = 5
LOOKED_AT = 20_000
"""So many rows are looked at while a page waits; those of a larger dataset count "at least"."""
LOOKED_AT_CHARS = 4_000_000
LOOKED_AHEAD, LOOKED_AHEAD_BYTES = 200_000, 32 * 2**20
"""A fix that has to see all rows first is not tried on more than this while a page waits."""


class RowChange(NamedTuple):
    """A row before and after; None where it is left out."""

    before: RowCard
    after: RowCard | None
    is_moved: bool
    """Whether nothing but its split is different, also in what the cards don't show."""

    @classmethod
    def of(cls, kind: type[Example], change: Change) -> RowChange:
        number, before, after = change
        card = row_card(kind, StoredRow(number, before))
        if after is None:
            return cls(card, None, is_moved=False)
        is_moved = {**before, "split": None} == {**after, "split": None}
        return cls(card, row_card(kind, StoredRow(number, after)), is_moved)


class ChangePreview(NamedTuple):
    changes: list[RowChange]
    rows: int
    changed: int
    dropped: int
    splits: dict[str, int]
    """Of the rows that stay, how many each split will have."""
    is_complete: bool
    """Whether every row was looked at."""
    is_locked: bool
    """Whether test rows stay as they are, being locked."""
    why_left_out: str

    @property
    def says(self) -> str:
        done = ((self.changed, "will be changed"), (self.dropped, "will be left out"))
        says = " and ".join(f"{count:,} {words}" for count, words in done if count)
        return f"{says}: {self.why_left_out}" if self.dropped and self.why_left_out else says

    @property
    def is_idle(self) -> bool:
        return self.is_complete and not self.changed and not self.dropped


def preview_change(
    version: DatasetVersion, fix: Fix, codes: Sequence[str] = ()
) -> ChangePreview | None:
    """None where it would take too long to find out. Raises DataError for options that can't be."""
    size_bytes = version.rows_path.stat().st_size
    if fix.looks_ahead and (version.rows > LOOKED_AHEAD or size_bytes > LOOKED_AHEAD_BYTES):
        return None
    store, locked = RowStore(version.rows_path), version.dataset.locked_splits
    found = preview(
        [fix],
        store,
        SHOWN_CHANGES,
        max_rows=LOOKED_AT,
        max_chars=LOOKED_AT_CHARS,
        flagged=flagged_rows(version.findings_path, codes) if codes else (),
        only_flagged=are_about_rows(codes),
        locked=locked,
    )
    told = found.outcome
    return ChangePreview(
        [RowChange.of(store.kind, change) for change in found.changes],
        told.rows,
        told.changed,
        told.dropped,
        dict(told.splits),
        found.is_complete,
        bool(locked),
        fix.why_left_out,
    )
