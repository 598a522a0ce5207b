"""Stepwise supervision (PRM): a prompt, the steps of an answer, and whether each is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.labels.texts import flag_of
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    messages_of,
    prompt_in,
    refuse_broken,
)
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    first_problem,
    is_blank,
    is_mostly,
    items_of,
    list_problem,
    wrong_type,
)

PROMPTS = ("prompt", "question", "problem")


@formats.register
class StepwiseFormat(DataFormat):
    """An answer in steps. It is good where every step is right, else it is a bad one."""

    label: ClassVar[str] = "Stepwise supervision"
    summary: ClassVar[str] = "prompt, completions (the steps) and labels, true or false for each."
    gives: ClassVar[type[Example]] = UnpairedPreference

    name: Literal["stepwise"] = "stepwise"
    prompt: str = text_column("prompt", title="Prompt", description="A text or a list of messages.")
    completions: str = Field(
        "completions", title="Steps", description="A list of texts: together they are the answer."
    )
    labels: str = Field(
        "labels",
        title="Verdicts",
        description="A list with true or false for each step. One wrong step makes the whole "
        "answer an undesirable one: no method here learns from single steps.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        prompt = next((present[name] for name in PROMPTS if name in present), None)
        steps, labels = present.get("completions"), present.get("labels")
        if prompt is None or steps is None or labels is None:
            return None
        if not is_mostly(sample, lambda row: bool(items_of(row.get(steps)))):
            return None
        return cls(prompt=prompt, completions=steps, labels=labels)

    def check(self, row: Row) -> RowProblem | None:
        problem = first_problem(
            (
                list_problem(row, self.completions, "a list of steps"),
                list_problem(row, self.labels, "a list of verdicts"),
            )
        ) or steps_problem(items_of(row[self.completions]) or [], items_of(row[self.labels]) or [])
        if problem is not None:
            return problem
        try:
            prompt = prompt_in(row, self.prompt, None, None)
            refuse_broken(prompt, [Turn("assistant", "answer")], self.prompt)
        except TurnError as error:
            return error.problem
        return None

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.prompt: unread_in_turns}

    def to_fields(self, row: Row) -> Fields:
        steps = items_of(row[self.completions]) or []
        labels = items_of(row[self.labels]) or []
        return {
            "messages": messages_of(prompt_in(row, self.prompt, None, None)),
            "completion": messages_of([Turn("assistant", "\n".join(steps))]),  # as TRL joins them
            "desirable": all(map(flag_of, labels)),
        }


def steps_problem(steps: Sequence[object], labels: Sequence[object]) -> RowProblem | None:
    if len(steps) != len(labels):
        message = f"There are {len(steps):,} steps and {len(labels):,} verdicts."
        return RowProblem("label_count", message, "Give each step true or false.")
    for number, (step, label) in enumerate(zip(steps, labels, strict=True), start=1):
        if not isinstance(step, str):
            return wrong_type(f"step {number}", step)
        if is_blank(step):
            return RowProblem("empty", f"Step {number} is empty.", "Remove it and its verdict.")
        if flag_of(label) is None:
            return wrong_type(f"verdict {number}", label, "true or false")
    return None
