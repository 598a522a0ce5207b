"""A dataset made of a stored one by a recipe. What comes out is checked again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from maxaillm.dev.finetune.data.analysis.findings import Finding, Report
from maxaillm.dev.finetune.data.fixes import Fix, fixes
from maxaillm.dev.finetune.data.reading.inspection import Inspection
from maxaillm.dev.finetune.data.recipes.recipe import Outcome, apply
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.store import RowStore


def remake(
    recipe: Sequence[Fix],
    store: RowStore,
    *,
    on_batch: Callable[[Batch], object],
    on_finding: Callable[[Finding], object],
    flagged: Collection[int] = (),
    only_flagged: bool = False,
    locked: Collection[str] = (),
) -> tuple[Report, Outcome]:
    """Pass on the rows that the recipe makes of those in the store, looked at by every check.

    `flagged`, `only_flagged` and `locked` as in `recipe.apply`.
    """
    rows = Inspection(on_batch, on_finding)
    outcome = apply(
        recipe, store, rows.see, flagged=flagged, only_flagged=only_flagged, locked=locked
    )
    rows.finish()
    return rows.report(), outcome


def in_words(outcome: Outcome) -> str:
    """What the fixes did: Trim: 12 changed; Drop the rows: 3 left out."""
    told = []
    for count in outcome.fixes:
        done = [f"{count.changed:,} changed"] if count.changed or not count.dropped else []
        done += [f"{count.dropped:,} left out"] if count.dropped else []
        why = fixes[count.name].why_left_out if count.dropped else ""
        told.append(": ".join(filter(None, (fixes[count.name].label, ", ".join(done), why))))
    return "; ".join(told)
