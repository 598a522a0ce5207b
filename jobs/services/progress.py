"""What a run's row tells of its progress, folded from the events of its trainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.models import Run
from maxaillm.dev.finetune.run.events import Event

NO_METRIC = frozenset({"not_finite", "rows", "answered_rows", "seconds"})


def progress_of(run: Run, events: Iterable[Event]) -> dict[str, Any]:
    """The columns of `run` that `events` change."""
    progress = Progress(run)
    for event in events:
        progress.add(event)
    return progress.changes


class Progress:
    """Starts from the row and takes event after event; only what changed is written back."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.phases: list[dict[str, Any]] = [dict(phase) for phase in run.phases]
        self.metrics: dict[str, Any] = dict(run.metrics)
        self.changes: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        if event.kind == "stage":
            self.begin_phase(event)
        elif event.kind == "resumed":
            self.changes["step"] = event.step or 0
        elif event.kind == "log":
            self.take_metrics(event)
            self.take_step(event)
        elif event.kind in {"eval", "succeeded"}:
            self.take_metrics(event)

    def begin_phase(self, event: Event) -> None:
        facts = {name: value for name, value in event.data.items() if name != "name"}
        name = str(event.data["name"])
        self.phases.append({"name": name, "started": event.time, **facts})
        self.changes |= {"phase": name, "phases": self.phases}
        total = event.data.get("total_steps")
        if isinstance(total, int):
            self.changes["total_steps"] = total

    def take_metrics(self, event: Event) -> None:
        told = event.data.get("metrics") if event.kind == "succeeded" else event.data
        if isinstance(told, dict):
            self.metrics |= {name: told[name] for name in told if name not in NO_METRIC}
            self.changes["metrics"] = self.metrics

    def take_step(self, event: Event) -> None:
        step = event.step or 0
        self.changes["step"] = step
        training = next((p for p in reversed(self.phases) if p["name"] == "train"), None)
        if training is None:
            return
        if "first_step" not in training:
            # The first step holds the warm-up of everything: rates are counted from its end.
            training |= {"first_step": step, "first_step_time": event.time}
            self.changes["phases"] = self.phases
            return
        done, seconds = step - training["first_step"], event.time - training["first_step_time"]
        total = self.changes.get("total_steps", self.run.total_steps)
        if done > 0:
            self.changes["seconds_left"] = max(0.0, seconds / done * (total - step))
