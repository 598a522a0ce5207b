"""Pairs: a prompt and its completion, a question and its answer, a text and its summary."""

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
from maxaillm.dev.finetune.data.rows.labels.texts import are_labels, are_numbers
from maxaillm.dev.finetune.data.rows.messages import is_turn
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    cell_of,
    columns_by_name,
    first_problem,
    is_mostly,
    items_of,
    optional_text_problem,
    text_columns,
    text_of,
    text_problem,
)

PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "generation"),
    ("input", "output"),
    ("query", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("prompt", "answer"),
    ("prompt", "solution"),
    ("problem", "solution"),
    ("query", "answer"),
    ("message_1", "message_2"),
    ("article", "summary"),
    ("document", "summary"),
    ("content", "summary"),
    ("text", "summary"),
    ("source", "target"),
    ("text", "target"),
    ("text", "label"),
)
LABELS = {"target", "label"}
"""Beside a text they hold classes or numbers, unless what stands there is as good as a text."""


@formats.register
class PromptCompletionFormat(DataFormat):
    """What the model is given and what it is to say."""

    label: ClassVar[str] = "Prompt and completion"
    summary: ClassVar[str] = "prompt and completion, or question and answer, in each row."
    gives: ClassVar[type[Example]] = Conversation
    is_usual: ClassVar[bool] = True

    name: Literal["prompt_completion"] = "prompt_completion"
    prompt: str = text_column("prompt", title="Prompt", description="What the model is given.")
    completion: str = text_column(
        "completion", title="Completion", description="What the model is to answer."
    )
    context: str | None = text_column(
        None, title="Context", description="Put before the prompt; may be empty in a row."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = text_columns(sample)
        present = columns_by_name(sample)
        for prompt, completion in PAIRS:
            if is_pair(sample, texts.get(prompt), texts.get(completion)):
                matter = present.get("context") or present.get("article")
                return cls(
                    prompt=texts[prompt],
                    completion=texts[completion],
                    context=matter if matter != texts[prompt] else None,
                    system=present.get("system") or present.get("system_prompt"),
                )
        return None

    def check(self, row: Row) -> RowProblem | None:
        return first_problem(
            (
                text_problem(row, self.prompt),
                text_problem(row, self.completion),
                optional_text_problem(row, self.context),
                optional_text_problem(row, self.system),
            )
        )

    def to_fields(self, row: Row) -> Fields:
        prompt, context = cell_of(row, self.prompt), text_of(row, self.context)
        return conversation_of(
            [
                Turn("system", text_of(row, self.system)),
                Turn("user", f"{context}\n\n{prompt}" if context else prompt),
                Turn("assistant", cell_of(row, self.completion)),
            ]
        )


def is_pair(sample: Sequence[Row], prompt: str | None, completion: str | None) -> bool:
    """Whether both are texts, and no chat or label that a table's cell holds."""
    if prompt is None or completion is None:
        return False
    if prompt.strip().lower() == "text" and completion.strip().lower() in LABELS:
        is_labelled = are_labels(sample, completion) or are_numbers(sample, completion)
        return not is_labelled and not is_mostly(sample, lambda row: is_list(row.get(completion)))
    return not is_mostly(sample, lambda row: is_chat(row.get(prompt)))


def is_list(value: object) -> bool:
    return items_of(value) is not None


def is_chat(value: object) -> bool:
    items = items_of(value)
    return bool(items) and all(map(is_turn, items or ()))
