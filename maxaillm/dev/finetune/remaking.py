"""A data set made of stored ones: by a recipe of fixes. What comes out is checked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from maxaillm.dev.finetune.findings import Finding, Report, ReportError
from maxaillm.dev.finetune.fixes import Fix, fixes
from maxaillm.dev.finetune.inspection import Inspection
from maxaillm.dev.finetune.recipe import Outcome, apply
from maxaillm.dev.finetune.row_batch import Batch
from maxaillm.dev.finetune.row_store import RowStore


def remake(
    recipe: Sequence[Fix],
    store: RowStore,
    *,
    on_batch: Callable[[Batch], object],
    on_finding: Callable[[Finding], object],
    flagged: Collection[int] = (),
    locked: Collection[str] = (),
) -> tuple[Report, Outcome]:
    """Pass on the rows that the recipe makes of those in the store, looked at by every check.

    `flagged` and `locked` as in `recipe.apply`.
    """
    codes: Counter[str] = Counter()

    def tell(finding: Finding) -> None:
        codes[finding.code] += 1
        on_finding(finding)

    rows = Inspection(on_batch, tell)
    outcome = apply(recipe, store, rows.see, flagged=flagged, locked=locked)
    rows.finish()
    nothing = ReportError(
        code="no_rows",
        message=f"No row is left: all {outcome.rows:,} were left out.",
        hint="Go back to the version before, and choose less.",
    )
    report = Report(
        status="ready" if outcome.kept else "invalid",
        error=None if outcome.kept else nothing,
        rows=outcome.kept,
        codes=dict(codes),
        labels=rows.labels,
        splits=dict(rows.splits),
    )
    return report, outcome


def in_words(outcome: Outcome) -> str:
    """What the fixes did: Trim: 12 changed; Drop the rows: 3 left out."""
    told = []
    for count in outcome.fixes:
        done = [f"{count.changed:,} changed"] if count.changed or not count.dropped else []
        done += [f"{count.dropped:,} left out"] if count.dropped else []
        told.append(f"{fixes[count.name].label}: {', '.join(done)}")
    return "; ".join(told)
