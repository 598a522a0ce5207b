"""Verdict: how good what a run made is, why, and what to do next."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from maxaillm.dev.finetune.advice.comparison import Comparison

Code = Literal[
    "diverged", "worse", "learned_nothing", "learned_little", "better", "undecided", "unmeasured"
]
Level = Literal["ok", "note", "warn", "bad"]


class NextStep(BaseModel):
    """Something to do about it; `changes` are options of a run by their paths, with new values."""

    model_config = ConfigDict(frozen=True)

    label: str
    changes: dict[str, JsonValue] = {}

    @property
    def text(self) -> str:
        """For a terminal: `Lower the learning rate: training.learning_rate=2e-05`."""
        options = " ".join(f"{path}={value}" for path, value in self.changes.items())
        return f"{self.label}: {options}" if options else f"{self.label}."


class Verdict(BaseModel):
    """The end of a run in one word, one sentence, and the evidence."""

    model_config = ConfigDict(frozen=True)

    code: Code
    level: Level
    title: str
    explanation: str
    next_steps: list[NextStep] = []
    comparison: Comparison | None = Field(
        None, description="The model beside its base on the same held-out rows."
    )

    @property
    def advice(self) -> str:
        """The next steps in one line."""
        return " ".join(step.text for step in self.next_steps)
