"""Answers of compared runs to the same prompts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.models import Run
from jobs.selectors import samples_of


class Answers(NamedTuple):
    """One prompt, what the base model said where it was asked, and each run's newest answer."""

    prompt: str
    base: str | None
    by_run: list[tuple[Run, int, str | None]]
    """With the step; None where the run has not this prompt."""


def answers_of(runs: Sequence[Run]) -> list[Answers]:
    """The prompts in the order of the runs; those that more runs share come first."""
    found = {run.pk: {sample.prompt: sample for sample in samples_of(run)} for run in runs}
    prompts = dict.fromkeys(prompt for samples in found.values() for prompt in samples)
    shared = sorted(prompts, key=lambda prompt: -sum(prompt in found[pk] for pk in found))
    made = []
    for prompt in shared:
        begun = [found[run.pk][prompt].answers for run in runs if prompt in found[run.pk]]
        base = next((text for answers in begun for step, text in answers if step == 0), None)
        by_run = [(run, *newest(found[run.pk].get(prompt))) for run in runs]
        made.append(Answers(prompt, base, by_run))
    return made


def newest(sample: object) -> tuple[int, str | None]:
    """Of a run that has answered after a step."""
    answers = [pair for pair in getattr(sample, "answers", []) if pair[0]]
    return answers[-1] if answers else (0, None)
