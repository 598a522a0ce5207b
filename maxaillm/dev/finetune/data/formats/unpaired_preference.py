"""Unpaired preferences: a prompt, an answer, and whether it is good; KTO learns from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    formats,
    text_column,
    tools_column,
    tools_field,
    with_tools,
)
from maxaillm.dev.finetune.data.rows.labels.texts import flag_of
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    messages_of,
    prompt_in,
    refuse_broken,
    starts_anew,
    tools_in,
    turns_in,
)
from maxaillm.dev.finetune.data.rows.unread import Unread
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    first_problem,
    is_mostly,
    optional_text_problem,
    wrong_type,
)

VERDICTS = ("kto_tag", "desirable", "label")
ANSWERS = (
    ("prompt", "completion"),
    ("messages", "completion"),
    ("instruction", "output"),
    ("prompt", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("input", "output"),
    (None, "messages"),
    (None, "conversations"),
)


class Parts(NamedTuple):
    """What is asked, and what is answered."""

    prompt: list[Turn]
    completion: list[Turn]


@formats.register
class UnpairedPreferenceFormat(DataFormat):
    """An answer that is desirable, or one that is not."""

    label: ClassVar[str] = "Unpaired preferences"
    summary: ClassVar[str] = "prompt, completion and label, true or false, in each row."
    gives: ClassVar[type[Example]] = UnpairedPreference

    name: Literal["unpaired_preference"] = "unpaired_preference"
    completion: str = text_column(
        "completion",
        title="Completion",
        description="The answer, or the conversation that ends with it.",
    )
    desirable: str = Field(
        "label", title="Verdict", description="true where the answer is good, false where not."
    )
    prompt: str | None = text_column(
        None,
        title="Prompt",
        description="A text or a list of messages. Not needed where the completion is a whole "
        "conversation.",
    )
    input: str | None = text_column(
        None, title="Input", description="What the prompt is about; may be empty in a row."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    tools: str | None = tools_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        verdict = next((present[name] for name in VERDICTS if name in present), None)
        answers = next((pair for pair in ANSWERS if present.keys() >= set(pair) - {None}), None)
        if verdict is None or answers is None:
            return None
        prompt, completion = answers
        if not is_mostly(sample, lambda row: flag_of(row.get(verdict)) is not None):
            return None
        return cls(
            completion=present[str(completion)],
            desirable=verdict,
            prompt=present[prompt] if prompt else None,
            input=present.get("input") if prompt == "instruction" else None,
            system=present.get("system"),
            tools=tools_column(sample),
        )

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        tools = "tools" if "tools" in columns else None
        return cls(prompt="messages", desirable="desirable", tools=tools)

    def check(self, row: Row) -> RowProblem | None:
        try:
            self.parts(row)
            tools_in(row, self.tools)
        except TurnError as error:
            return error.problem
        return first_problem(
            (
                verdict_problem(row, self.desirable),
                optional_text_problem(row, self.input),
                optional_text_problem(row, self.system),
            )
        )

    def to_fields(self, row: Row) -> Fields:
        prompt, completion = map(messages_of, self.parts(row))
        verdict = flag_of(row[self.desirable])
        fields = {"messages": prompt, "completion": completion, "desirable": verdict}
        return fields | with_tools(tools_in(row, self.tools))

    def reads(self) -> Mapping[str, Unread | None]:
        read = dict.fromkeys(filter(None, (self.prompt, self.completion)), unread_in_turns)
        return {**super().reads(), **read}

    def parts(self, row: Row) -> Parts:
        """Raises TurnError."""
        prompt = prompt_in(row, self.prompt, self.input, self.system)
        completion = turns_in(row, self.completion, "assistant")
        if starts_anew(completion):
            behaviour = [turn for turn in prompt[:1] if turn.role == "system"]
            prompt = behaviour * (completion[0].role != "system") + completion[:-1]
            completion = completion[-1:]
        refuse_broken(prompt, completion, self.completion)
        return Parts(prompt, completion)


def verdict_problem(row: Row, column: str) -> RowProblem | None:
    value = row.get(column)
    if flag_of(value) is not None:
        return None
    if value is None or value == "":
        return RowProblem("no_label", f"{column!r} is empty.", "Write true or false.")
    return wrong_type(column, value, "true or false")
