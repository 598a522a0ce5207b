"""Finding of the run doctor: what is wrong with a run, the evidence, and what to change."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from maxaillm.dev.finetune.advice.verdict import NextStep

Level = Literal["bad", "warn", "note"]


class Evidence(BaseModel):
    """Where on a chart a finding is seen: a metric, from a step to a step, and its values there."""

    model_config = ConfigDict(frozen=True)

    metric: str
    first_step: int
    last_step: int
    mark: str = Field("", description="What is written at that place, in two or three words.")
    first_value: float | None = None
    last_value: float | None = None
    steps: list[int] = Field(
        [], description="Single steps in between that show it, where it is no span."
    )


class Finding(BaseModel):
    """What one rule says of a run.

    `bad` and `warn` are what the evidence bears; a `note` is a remark, or begins with "perhaps".
    How often each rule is right stands in benchmarks/README.md.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    level: Level
    title: str
    explanation: str
    evidence: Evidence | None = None
    next_steps: list[NextStep] = Field(
        [], description="The first is the change that most likely helps."
    )

    @property
    def text(self) -> str:
        """For a terminal."""
        return " ".join((f"{self.title}.", self.explanation, *(s.text for s in self.next_steps)))
