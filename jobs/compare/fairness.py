"""Fairness of a comparison: whether the same rows were measured, and what changed besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from pydantic import JsonValue

from jobs.compare.choice import Choice
from jobs.compare.differences import Difference, Differences
from jobs.compare.scores import ScoreTable
from jobs.models import Run
from jobs.run_page.verdict import Fix, fix

ONE_CHANGE = frozenset({"training.seed"})
"""A difference that does not count as a change."""


MOST_FIXES = 3
OF_THE_ROWS = ("data.dataset", "data.version", "data.validation_share", "training.seed")
"""What decides which rows are held out."""


class Remark(NamedTuple):
    level: str
    """ok, warn, or empty for a hint."""
    title: str
    text: str
    fixes: Sequence[Fix] = ()
    """Runs that would settle it, each a clone with what is to change."""


def remarks(choice: Choice, found: Differences, table: ScoreTable, owner: User) -> list[Remark]:
    """What is to be said to `owner`, who alone can clone runs of their own."""
    made = [*rows_remark(choice, table), *changes_remark(choice, found)]
    are_own = all(run.owner_id == owner.pk for run in choice.runs)
    return made if are_own else [remark._replace(fixes=()) for remark in made]


def rows_remark(choice: Choice, table: ScoreTable) -> list[Remark]:
    if choice.baseline is None or not table.metrics:
        return []
    rows = [row for row in table.rows if not row.is_baseline]
    other = [str(row.run.pk) for row in rows if not any(cell.beside for cell in row.cells)]
    if not other:
        paired = next(cell.beside for cell in rows[0].cells if cell.beside) if rows else None
        number = f"{paired.found.rows:,}" if paired else "same"
        text = f"All were measured on the same {number} held-out rows, so differences are paired."
        return [Remark("ok", "Same held-out rows", text)]
    text = (
        f"{', '.join(other)} and the baseline were not measured on the same rows, or not row by "
        "row: their figures stand side by side, and chance can't be told from a difference."
    )
    same = {path: value_of(choice.baseline, path) for path in OF_THE_ROWS}
    fixes = [
        fix(row.run, "", same)._replace(word=f"Run {row.run.pk} on the baseline's rows")
        for row in rows
        if str(row.run.pk) in other
    ]
    return [Remark("warn", "Not the same held-out rows", text, fixes[:MOST_FIXES])]


def changes_remark(choice: Choice, found: Differences) -> list[Remark]:
    made = []
    for run in choice.others:
        changed = [
            row
            for row in found.rows
            if row.path not in ONE_CHANGE
            and any(value.run == run.pk and value.differs for value in row.values)
        ]
        if len(changed) > 1:
            titles = [row.title for row in changed]
            named = f"{', '.join(titles[:4])}{' and more' if len(titles) > 4 else ''}"
            text = f"It differs from the baseline in {named}. What helped can't be told apart."
            fixes = [one_change(choice.baseline, run, row) for row in changed[:MOST_FIXES]]
            title = f"Run {run.pk}: {len(changed)} things changed"
            made.append(Remark("warn", title, text, fixes))
    if made or not choice.others:
        return made
    text = "Another seed of each shows how far runs differ by chance alone."
    seeds = [another_seed(run) for run in choice.runs[:MOST_FIXES]]
    return [Remark("", "One run each", text, seeds)]


def one_change(baseline: Run | None, run: Run, row: Difference) -> Fix:
    """The baseline with one of the things in which another run differs from it."""
    assert baseline is not None
    changes = {path: value_of(run, path) for path in (row.path, *WITH.get(row.path, ()))}
    made = fix(baseline, "", changes)
    value = next(value.text for value in row.values if value.run == run.pk)
    return made._replace(word=f"Run {baseline.pk} with {row.title.lower()} {value}, nothing else")


WITH = {"data.dataset": ("data.version",)}
"""What an option means little without."""


def another_seed(run: Run) -> Fix:
    seed = value_of(run, "training.seed")
    other = (seed if isinstance(seed, int) else 0) + 1
    made = fix(run, "", {"training.seed": other})
    return made._replace(word=f"Run {run.pk} with seed {other}")


def value_of(run: Run | None, path: str) -> JsonValue:
    """An option as the run's configuration holds it; None where it has none of the name."""
    found: JsonValue = run.config if run else None
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
