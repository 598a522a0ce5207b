"""Kiln's tables: input, output, and the thinking that leads from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    text_column,
)
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    cell_of,
    first_problem,
    optional_text_problem,
    text_columns,
    text_of,
    text_problem,
)


@formats.register
class KilnFormat(DataFormat):
    """A task and its answer, with the thinking before it where there is some."""

    label: ClassVar[str] = "Answer with reasoning"
    summary: ClassVar[str] = "input, output and reasoning or chain_of_thought in each row."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["kiln"] = "kiln"
    input: str = text_column("input", title="Input", description="What the model is given.")
    output: str = text_column("output", title="Answer", description="What the model is to answer.")
    reasoning: str | None = text_column(
        None,
        title="Reasoning",
        description="What the model thinks first, as its chat template writes thoughts.",
    )
    chain_of_thought: str | None = text_column(
        None,
        title="Chain of thought",
        description="Is thought after the reasoning, in rows that have both.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = text_columns(sample)
        thinking = {name: texts.get(name) for name in ("reasoning", "chain_of_thought")}
        if not texts.keys() >= {"input", "output"} or not any(thinking.values()):
            return None
        return cls(input=texts["input"], output=texts["output"], **thinking)

    def check(self, row: Row) -> RowProblem | None:
        return first_problem(
            (
                text_problem(row, self.input),
                text_problem(row, self.output),
                optional_text_problem(row, self.reasoning),
                optional_text_problem(row, self.chain_of_thought),
            )
        )

    def to_fields(self, row: Row) -> Fields:
        thoughts = (text_of(row, self.reasoning), text_of(row, self.chain_of_thought))
        thinking = "\n\n".join(dict.fromkeys(filter(None, thoughts)))
        answer = Turn("assistant", cell_of(row, self.output), reasoning=thinking)
        return conversation_of([Turn("user", cell_of(row, self.input)), answer])
