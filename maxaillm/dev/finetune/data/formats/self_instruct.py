"""Self-Instruct's tasks: an instruction, and instances of it: [{input, output}]."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from maxaillm.dev.finetune.data.rows.unfolding import a_row_each
from maxaillm.dev.finetune.data.rows.unread import Unread, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    cell_of,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    optional_text_problem,
    text_of,
    text_problem,
    wrong_type,
)


@formats.register
class SelfInstructFormat(DataFormat):
    """A task with instances of it; every instance is a row."""

    label: ClassVar[str] = "Tasks with instances"
    summary: ClassVar[str] = "instruction, and instances: a list of {input, output}."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["self_instruct"] = "self_instruct"
    instruction: str = text_column(
        "instruction", title="Instruction", description="What is asked for."
    )
    instances: str = Field(
        "instances",
        title="Instances",
        description="A list of objects: output, and input, which may be empty.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        if not present.keys() >= {"instruction", "instances"}:
            return None
        instances = present["instances"]
        if not is_mostly(sample, lambda row: are_instances(row.get(instances))):
            return None
        return cls(instruction=present["instruction"], instances=instances)

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return self.rows_in

    def rows_in(self, record: Row) -> Iterable[Row]:
        return a_row_each(record, self.instances)

    def check(self, row: Row) -> RowProblem | None:
        """Of a row with one instance."""
        problem = text_problem(row, self.instruction) or list_problem(
            row, self.instances, "a list of instances"
        )
        if problem is not None:
            return problem
        instance = (items_of(row[self.instances]) or [])[0]
        if not isinstance(instance, dict):
            return wrong_type("instance", instance, "an object with input and output")
        return text_problem(instance, "output") or optional_text_problem(instance, "input")

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.instances: only("input", "output")}

    def to_fields(self, row: Row) -> Fields:
        instance = (items_of(row[self.instances]) or [])[0]
        asked, matter = cell_of(row, self.instruction), text_of(instance, "input")
        question = f"{asked}\n\n{matter}" if matter else asked
        return conversation_of([Turn("user", question), Turn("assistant", instance["output"])])


def are_instances(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and "output" in items[0]
