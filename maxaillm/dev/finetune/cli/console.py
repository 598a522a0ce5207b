"""Progress on a terminal: one line that moves, and one for each event that stays."""

from __future__ import annotations

import json
import sys
from typing import IO

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.run.events.journal import Event
from maxaillm.dev.finetune.run.events.kinds import StageEvent

CLEAR = "\r\x1b[K"


def print_json(event: Event) -> None:
    """An event as one line of JSON on stdout."""
    line = json.dumps(event.model_dump(mode="json", exclude_none=True), allow_nan=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_error(error: FineTuneError, *, as_json: bool) -> None:
    """What happened and what to do about it, on stderr."""
    if as_json:
        text = json.dumps({"error": error.as_json()})
    else:
        text = "\n".join(part for part in (error.message, error.hint) if part)
    sys.stderr.write(text + "\n")


def print_note(text: str) -> None:
    """What a person should know and a program need not, on stderr."""
    sys.stderr.write(text + "\n")


def print_progress(share: float, stage: str) -> None:
    """How far some work is, and what comes next, as JSON on stderr."""
    sys.stderr.write(json.dumps({"progress": round(share, 3), "stage": stage}) + "\n")
    sys.stderr.flush()


class ProgressLine:
    """A listener for people."""

    def __init__(self, stream: IO[str] = sys.stdout) -> None:
        self.stream, self.total = stream, 0

    def __call__(self, event: Event) -> None:
        payload = event.payload
        if metrics := payload.progress_text():
            self.show(f"step {event.step}/{self.total}  {metrics}")
            return
        if isinstance(payload, StageEvent) and payload.total_steps is not None:
            self.total = payload.total_steps
        step = "" if event.step is None else f" (step {event.step})"
        self.show(f"{event.kind}{step}  {payload.text()}\n")

    def show(self, text: str) -> None:
        self.stream.write(CLEAR + text)
        self.stream.flush()
