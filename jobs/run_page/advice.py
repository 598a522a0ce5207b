"""Panel of the run doctor: its findings, the evidence on the charts, the runs that mend it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from jobs.models import Run
from jobs.run_page.verdict import Fix, fix
from maxaillm.dev.finetune.advice.doctor.finding import Evidence, Finding, Level
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.run.events.run_metrics import find_metric

WORDS: dict[Level, str] = {"bad": "problem", "warn": "warning", "note": "hint"}


class Seen(NamedTuple):
    """Evidence in words: the curve, its values, the steps; and the chart that shows it."""

    curve: str
    values: str
    steps: str
    chart: str
    """Its name; empty where no chart draws that curve."""


class Entry(NamedTuple):
    finding: Finding
    seen: Seen | None
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

    @property
    def marks(self) -> str:
        """What is drawn on the charts, as JSON for `chart_marks.js`."""
        return json.dumps([mark_of(entry) for entry in self.entries if is_drawn(entry)])


def advice_panel(run: Run) -> AdvicePanel | None:
    entries = [
        Entry(finding, seen_in(finding.evidence), fixes_of(run, finding)) for finding in run.advice
    ]
    return AdvicePanel(entries) if entries else None


def fixes_of(run: Run, finding: Finding) -> list[Fix]:
    return [fix(run, step.label, step.changes) for step in finding.next_steps if step.changes]


def seen_in(evidence: Evidence | None) -> Seen | None:
    if evidence is None:
        return None
    metric = find_metric(evidence.metric)
    ends = (evidence.first_value, evidence.last_value)
    values = " → ".join(figure(value) for value in ends if value is not None)
    chart = metric.chart if metric else None
    curve = metric.info.label if metric else evidence.metric
    return Seen(curve, values, steps_of(evidence), chart.name if chart else "")


def steps_of(evidence: Evidence) -> str:
    first, last = evidence.first_step, evidence.last_step
    if evidence.steps:
        shown = ", ".join(f"{step:,}" for step in evidence.steps[:3])
        more = len(evidence.steps) - 3
        return f"steps {shown}{f' and {more} more' if more > 0 else ''}"
    return f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"


def is_drawn(entry: Entry) -> bool:
    return bool(entry.seen and entry.seen.chart)


def mark_of(entry: Entry) -> dict[str, Any]:
    """One finding on its chart: a span, or lines at single steps."""
    finding, evidence, seen = entry.finding, entry.finding.evidence, entry.seen
    assert evidence is not None
    assert seen is not None
    return {
        "chart": seen.chart,
        "code": finding.code,
        "level": finding.level,
        "label": evidence.mark or finding.title,
        "text": f"{finding.title}: {seen.steps}",
        "from": evidence.first_step,
        "to": evidence.last_step,
        "steps": evidence.steps,
    }
