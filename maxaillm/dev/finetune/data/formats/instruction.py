"""Instruction data: instruction, [input], output; Alpaca's keys and their variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

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
    items_of,
    optional_text_problem,
    text_columns,
    text_of,
    text_problem,
    wrong_type,
)


@formats.register
class InstructionFormat(DataFormat):
    """What to do, what to do it with, and the answer."""

    label: ClassVar[str] = "Instruction"
    summary: ClassVar[str] = "instruction, input (may be empty) and output in each row."
    gives: ClassVar[type[Example]] = Conversation
    is_usual: ClassVar[bool] = True

    name: Literal["instruction"] = "instruction"
    instruction: str = text_column(
        "instruction", title="Instruction", description="What is asked for."
    )
    output: str = text_column("output", title="Answer", description="What the model is to answer.")
    input: str | None = text_column(
        None, title="Input", description="What the instruction is about; may be empty in a row."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    history: str | None = Field(
        None, title="Earlier turns", description="A list of pairs of question and answer."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = text_columns(sample)
        present = columns_by_name(sample)
        output = texts.get("output") or texts.get("response")
        if "instruction" not in texts or output is None:
            return None
        return cls(
            instruction=texts["instruction"],
            output=output,
            input=present.get("input") or present.get("context"),
            system=present.get("system"),
            history=present.get("history"),
        )

    def check(self, row: Row) -> RowProblem | None:
        return first_problem(
            (
                text_problem(row, self.instruction),
                text_problem(row, self.output),
                optional_text_problem(row, self.input),
                optional_text_problem(row, self.system),
                self.history_problem(row),
            )
        )

    def history_problem(self, row: Row) -> RowProblem | None:
        pairs = row.get(self.history) if self.history else None
        items = items_of(pairs) if pairs else []
        if items is not None and all(map(is_pair, items)):
            return None
        return wrong_type(str(self.history), pairs, "a list of pairs of texts")

    def to_fields(self, row: Row) -> Fields:
        turns = [Turn("system", system)] if (system := text_of(row, self.system)) else []
        if self.history and (pairs := row.get(self.history)):
            for question, answer in items_of(pairs) or ():
                turns += [Turn("user", question), Turn("assistant", answer)]
        question, matter = cell_of(row, self.instruction), text_of(row, self.input)
        turns.append(Turn("user", f"{question}\n\n{matter}" if matter else question))
        turns.append(Turn("assistant", cell_of(row, self.output)))
        return conversation_of(turns)


def is_pair(item: Any) -> bool:
    return isinstance(item, list) and [type(part) for part in item] == [str, str]
