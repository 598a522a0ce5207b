"""Status panel of a run page: progress, ruler of checkpoints, phases, five numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from django.utils import timezone

from jobs.models import Run
from jobs.run_page.number_formats import figure_and_unit, in_words
from jobs.run_page.states import PHASES
from jobs.selectors import best_by, best_of, evaluations_of, first_loss, newest_log
from maxaillm.dev.finetune.advice.history import Evaluation
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.run.events.kinds import EvalEvent, LogEvent
from maxaillm.dev.finetune.run.events.run_metrics import metric_info
from maxft_site.web.formatting import duration

MOST_TICKS = 24
MOST_STATS = 5


class Tick(NamedTuple):
    """A mark on the ruler; `x` in percent of its length."""

    x: str
    word: str
    anchor: str
    is_best: bool


class Phase(NamedTuple):
    word: str
    seconds: float | None
    state: str
    """done, now, or empty for what is to come."""


class Stat(NamedTuple):
    label: str
    figure: str
    unit: str
    meaning: str


class StatusPanel(NamedTuple):
    ruler: list[Tick]
    phases: list[Phase]
    stats: list[Stat]
    ends_at: datetime | None
    epoch: float | None


def status_panel(run: Run) -> StatusPanel:
    now, found = newest_log(run), evaluations_of(run)
    best = best_of(run, found)
    return StatusPanel(
        ruler=ruler(run, best.step if best else None),
        phases=phases(run),
        stats=stats(run, now, found, best),
        ends_at=ends_at(run),
        epoch=now.get("epoch"),
    )


def ends_at(run: Run) -> datetime | None:
    if not run.is_active or run.seconds_left is None:
        return None
    return timezone.now() + timedelta(seconds=run.seconds_left)


def ruler(run: Run, best: int | None) -> list[Tick]:
    """A tick at each checkpoint; every few where there are many. The best step is named."""
    total = run.total_steps
    if not total:
        return []
    every = run.intervals.saving
    stride = every * max(1, ceil(total / every / MOST_TICKS))
    labelled = stride * max(1, ceil(total / stride / 8))
    steps = {*range(0, total, stride), total} | ({best} if best else set())
    return [
        Tick(
            x=f"{100 * step / total:.2f}%",
            word=word_at(step, total, best, labelled),
            anchor={0: "start", total: "end"}.get(step, "middle"),
            is_best=step == best,
        )
        for step in sorted(steps)
    ]


def word_at(step: int, total: int, best: int | None, labelled: int) -> str:
    if step == best:
        return f"{step:,} best"
    if step in {0, total}:
        return f"{step:,}"
    near = [other for other in (0, total, best or 0) if abs(step - other) < total * 0.09]
    return "" if near or step % labelled else f"{step:,}"


def phases(run: Run) -> list[Phase]:
    """The phases of the newest attempt with their durations; the rest is to come."""
    begun = [(str(item["name"]), float(item["started"])) for item in run.phases]
    ends = [*(started for _, started in begun[1:]), last_moment(run)]
    seconds: dict[str, float] = {}
    for (name, started), ended in zip(begun, ends, strict=False):
        seconds[name] = seconds.get(name, 0.0) + max(0.0, ended - started)
    now = begun[-1][0] if begun and run.is_active else None
    return [
        Phase(words[0], seconds.get(name), phase_state(name, now, seconds))
        for name, words in PHASES.items()
        if name in seconds or not run.has_ended
    ]


def phase_state(name: str, now: str | None, seconds: dict[str, float]) -> str:
    if name == now:
        return "now"
    return "done" if name in seconds else ""


def last_moment(run: Run) -> float:
    return (run.ended or timezone.now()).timestamp()


def stats(
    run: Run, now: dict[str, float], measured: list[Evaluation], best: Evaluation | None
) -> list[Stat]:
    judged = best_stat(run, best) if best else newest_stat(run, measured)
    found = [loss_stat(run, now), judged, *metric_stats(run)]
    if "tokens_per_second" in now:
        found.append(stat("tokens_per_second", now["tokens_per_second"], pace(run)))
    if "tokens" in now:
        found.append(stat("tokens", now["tokens"], f"in {run.step:,} steps"))
    if "memory_bytes" in now:
        found.append(stat("memory_bytes", now["memory_bytes"], "of the trainer"))
    return list(filter(None, found))[:MOST_STATS]


def stat(metric: str, value: float | None, meaning: str) -> Stat:
    info = metric_info(metric)
    return Stat(info.label, *figure_and_unit(info, value), meaning)


def loss_stat(run: Run, now: dict[str, float]) -> Stat | None:
    if "loss" not in now:
        return None
    first = first_loss(run)
    words = in_words(metric_info("loss"), first)
    return stat("loss", now["loss"], f"from {words}" if first else "")


def best_stat(run: Run, best: Evaluation) -> Stat:
    past, (metric, _) = run.step - best.step, best_by(run)
    when = f"step {best.step:,}" + (f", {past:,} steps ago" if past > 0 else "")
    shown = stat(metric, best.number(metric), when)
    return shown._replace(label=f"Best {shown.label.lower()}")


def newest_stat(run: Run, measured: list[Evaluation]) -> Stat | None:
    """Where nothing is better than the base model yet: the newest value beside its own."""
    metric, _ = best_by(run)
    if not measured or not measured[-1].step:
        return None
    base = measured[0].number(metric) if measured[0].step == 0 else None
    words = f"base {in_words(metric_info(metric), base)}" if base is not None else ""
    return stat(metric, measured[-1].number(metric), words)


def metric_stats(run: Run) -> list[Stat]:
    """The newest value of each evaluation metric, beside the base model's."""
    base = run.events.filter(kind=EvalEvent.kind, step=0).first()
    before = base.payload.numbers() if base else {}
    names = run.config.get("evaluation", {}).get("metrics", [])
    measured = {
        name: run.events.filter(kind=EvalEvent.kind, step__gt=0, data__has_key=name).last()
        for name in names
        if name in metrics
    }
    return [
        metric_stat(name, newest.payload.numbers().get(name), before.get(name))
        for name, newest in measured.items()
        if newest
    ]


def metric_stat(name: str, value: float | None, before: float | None) -> Stat:
    words = in_words(metric_info(name), before)
    return stat(name, value, "" if before is None else f"base {words}")


def pace(run: Run) -> str:
    """How long a step takes, from the newest steps' times, evaluation included."""
    newest = run.events.filter(kind=LogEvent.kind, step__isnull=False).order_by("-step")[:50]
    points = [(event.step or 0, event.time) for event in newest]
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return ""
    (step, time), (first_step, first_time) = points[0], points[-1]
    return f"{duration((time - first_time) / (step - first_step))} a step"
