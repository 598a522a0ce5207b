"""Fairness of a comparison: whether the same rows were measured, and what changed besides."""

from __future__ import annotations

from typing import NamedTuple

from jobs.compare.choice import Choice
from jobs.compare.differences import Differences
from jobs.compare.scores import ScoreTable

ONE_CHANGE = frozenset({"training.seed"})
"""A difference that does not count as a change."""


class Remark(NamedTuple):
    level: str
    """ok, warn, or empty for a hint."""
    title: str
    text: str


def remarks(choice: Choice, found: Differences, table: ScoreTable) -> list[Remark]:
    return [*rows_remark(choice, table), *changes_remark(choice, found)]


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
    return [Remark("warn", "Not the same held-out rows", text)]


def changes_remark(choice: Choice, found: Differences) -> list[Remark]:
    made = []
    for run in choice.others:
        changed = [
            row.title
            for row in found.rows
            if row.path not in ONE_CHANGE
            and any(value.run == run.pk and value.differs for value in row.values)
        ]
        if len(changed) > 1:
            named = f"{', '.join(changed[:4])}{' and more' if len(changed) > 4 else ''}"
            text = f"It differs from the baseline in {named}. What helped can't be told apart."
            made.append(Remark("warn", f"Run {run.pk}: {len(changed)} things changed", text))
    if made or not choice.others:
        return made
    text = "Another seed of each shows how far runs differ by chance alone."
    return [Remark("", "One run each", text)]
