"""Verdict panel of a run page: how it ended, the evidence as an interval, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from pydantic import JsonValue

from jobs.models import Run
from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.judge import LITTLE
from maxaillm.dev.finetune.advice.verdict import Verdict

ROOM = 1.25
"""How far the scale of an interval reaches beyond it; it is never so short that a gain which means
nothing would look large."""
ICONS = {"ok": "done", "note": "scale", "warn": "alert", "bad": "error"}


class Fix(NamedTuple):
    """A next step with the form that does it: the run's own, with what is to change."""

    word: str
    url: str


class IntervalPlot(NamedTuple):
    """A gain and its interval on a line with nought in the middle; places in percent of it."""

    low: str
    high: str
    gain: str
    words: str
    ends: tuple[str, str]
    is_open: bool
    """Whether it holds nought."""


class VerdictPanel(NamedTuple):
    verdict: Verdict
    icon: str
    fixes: list[Fix]
    interval: IntervalPlot | None
    may_chat: bool
    chat_first: bool
    """Whether a chat is the first thing to do with the model."""


def verdict_panel(run: Run) -> VerdictPanel | None:
    verdict = run.judged
    if verdict is None or not run.has_ended:
        return None
    has_model = run.kept_model is not None
    return VerdictPanel(
        verdict=verdict,
        icon=ICONS[verdict.level],
        fixes=[fix(run, step.label, step.changes) for step in verdict.next_steps if step.changes],
        interval=interval_plot(verdict.comparison) if verdict.comparison else None,
        may_chat=has_model,
        chat_first=has_model and run.is_promising,
    )


def fix(run: Run, label: str, changes: Mapping[str, JsonValue]) -> Fix:
    values = ", ".join(written(value) for value in changes.values() if is_short(value))
    asked = {path: written(value) for path, value in changes.items()}
    query = urlencode({"clone": run.pk, **asked})
    return Fix(f"{label}{values and f': {values}'}", f"{reverse('jobs:run-new')}?{query}")


def is_short(value: JsonValue) -> bool:
    """Whether a new value says more than the words before it."""
    return value is not True and not isinstance(value, dict | list)


def written(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def interval_plot(found: Comparison) -> IntervalPlot | None:
    """None where there were too few rows for one, or nothing differs."""
    if found.low is None or found.high is None:
        return None
    reach = max(ROOM * max(abs(found.low), abs(found.high)), LITTLE * found.scale)
    if not reach:
        return None

    def place(value: float) -> str:
        return f"{50 + 50 * value / reach:.2f}%"

    return IntervalPlot(
        low=place(found.low),
        high=place(found.high),
        gain=place(found.gain),
        words=f"Gain {found.signed(found.gain)}, 95 % interval {found.signed(found.low)} to "
        f"{found.signed(found.high)}",
        ends=(f"{found.distance(reach)} worse", f"{found.distance(reach)} better"),
        is_open=found.low <= 0 <= found.high,
    )
