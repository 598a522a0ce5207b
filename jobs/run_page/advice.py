"""Panel of the run doctor: its findings, each with the runs that would mend it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from jobs.models import Run
from jobs.run_page.verdict import Fix, fix
from maxaillm.dev.finetune.advice.doctor.finding import Finding, Level

WORDS: dict[Level, str] = {"bad": "problem", "warn": "warning", "note": "hint"}


class Entry(NamedTuple):
    finding: Finding
    fixes: list[Fix]


class AdvicePanel(NamedTuple):
    entries: list[Entry]

    @property
    def summary(self) -> str:
        """`1 warning, 2 hints`."""
        counts = Counter(entry.finding.level for entry in self.entries)
        return ", ".join(
            f"{counts[level]} {word}{'s' * (counts[level] > 1)}"
            for level, word in WORDS.items()
            if counts[level]
        )


def advice_panel(run: Run) -> AdvicePanel | None:
    entries = [Entry(finding, fixes_of(run, finding)) for finding in run.advice]
    return AdvicePanel(entries) if entries else None


def fixes_of(run: Run, finding: Finding) -> list[Fix]:
    return [fix(run, step.label, step.changes) for step in finding.next_steps if step.changes]
