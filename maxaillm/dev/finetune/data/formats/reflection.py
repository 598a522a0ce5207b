"""Alpaca with a second thought: output, what is wrong with it, and the corrected answer."""

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
    columns_by_name,
    first_problem,
    optional_text_problem,
    text_of,
    text_problem,
)

COLUMNS = {"instruction", "output", "reflection", "corrected"}


@formats.register
class ReflectionFormat(DataFormat):
    """A first answer, a look at what is wrong with it, and the final answer: all three learned."""

    label: ClassVar[str] = "Reflection"
    summary: ClassVar[str] = "instruction, output, reflection and corrected in each row."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["reflection"] = "reflection"
    instruction: str = text_column(
        "instruction", title="Instruction", description="What is asked for."
    )
    output: str = text_column("output", title="First answer", description="A draft.")
    reflection: str = text_column(
        "reflection", title="Reflection", description="What is wrong with the first answer."
    )
    corrected: str = text_column(
        "corrected", title="Final answer", description="The answer as it should be."
    )
    input: str | None = text_column(
        None, title="Input", description="What the instruction is about; may be empty in a row."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        if not present.keys() >= COLUMNS:
            return None
        names = {name: present[name] for name in COLUMNS}
        return cls(**names, input=present.get("input"))

    def check(self, row: Row) -> RowProblem | None:
        texts = (self.instruction, self.output, self.reflection, self.corrected)
        return first_problem(text_problem(row, column) for column in texts) or (
            optional_text_problem(row, self.input)
        )

    def to_fields(self, row: Row) -> Fields:
        """The three parts of the answer under the headings that Axolotl gives them."""
        question, matter = cell_of(row, self.instruction), text_of(row, self.input)
        thought, reflection = cell_of(row, self.output), cell_of(row, self.reflection)
        answer = (
            f"### Thought:\n{thought}\n\n### Agent Reflection:\n{reflection}\n\n"
            f"### Final Response:\n{cell_of(row, self.corrected)}"
        )
        asked = f"{question}\n\n{matter}" if matter else question
        return conversation_of([Turn("user", asked), Turn("assistant", answer)])
