"""Progress of a run: phase, step, metrics and time left, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.models import Run
from maxaillm.dev.finetune.run.events.journal import Event
from maxaillm.dev.finetune.run.events.kinds import (
    AdviceEvent,
    EvalEvent,
    LogEvent,
    ResumedEvent,
    StageEvent,
    VerdictEvent,
)


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
        payload = event.payload
        if measured := payload.measured():
            self.metrics |= measured
            self.changes["metrics"] = self.metrics
        if isinstance(payload, StageEvent):
            self.begin_phase(payload, event.time)
        elif isinstance(payload, ResumedEvent):
            self.changes["step"] = event.step or 0
        elif isinstance(payload, VerdictEvent):
            self.changes["verdict"] = payload.as_json()
        elif isinstance(payload, AdviceEvent):
            self.changes["findings"] = payload.as_json()["findings"]
        elif isinstance(payload, LogEvent):
            self.take_step(event)
        elif isinstance(payload, EvalEvent) and event.step == 0:
            self.leave_out_base(event)

    def begin_phase(self, stage: StageEvent, time: float) -> None:
        self.phases.append({"started": time, **stage.as_json()})
        self.changes |= {"phase": stage.name, "phases": self.phases}
        if stage.total_steps is not None:
            self.changes["total_steps"] = stage.total_steps

    @property
    def training(self) -> dict[str, Any] | None:
        return next((p for p in reversed(self.phases) if p["name"] == "train"), None)

    def leave_out_base(self, event: Event) -> None:
        """The base model is measured once, after the first step: steps don't take as long."""
        if (training := self.training) and "first_step" in training:
            training["first_step_time"] = event.time
            self.changes["phases"] = self.phases

    def take_step(self, event: Event) -> None:
        step = event.step or 0
        self.changes["step"] = step
        training = self.training
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
