"""Pairs: a prompt and its completion, a question and its answer, a text and its summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.cells import (
    Row,
    RowProblem,
    Turn,
    all_columns,
    first_problem,
    optional_text_problem,
    text_columns,
    text_of,
    text_problem,
)
from maxaillm.dev.finetune.formats import Conversation, DataFormat, Example, formats

PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "generation"),
    ("input", "output"),
    ("query", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("message_1", "message_2"),
    ("article", "summary"),
    ("document", "summary"),
    ("content", "summary"),
    ("source", "target"),
)


@formats.register
class PromptCompletion(DataFormat):
    """What the model is given and what it is to say."""

    label: ClassVar[str] = "Prompt and completion"
    summary: ClassVar[str] = "prompt and completion, or question and answer, in each row."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["prompt_completion"] = "prompt_completion"
    prompt: str = Field("prompt", title="Prompt", description="What the model is given.")
    completion: str = Field(
        "completion", title="Completion", description="What the model is to answer."
    )
    context: str | None = Field(
        None, title="Context", description="Put before the prompt; may be empty in a row."
    )
    system: str | None = Field(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = text_columns(sample)
        present = {name.strip().lower(): name for name in all_columns(sample)}
        for prompt, completion in PAIRS:
            if prompt in texts and completion in texts:
                return cls(
                    prompt=texts[prompt],
                    completion=texts[completion],
                    context=present.get("context"),
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

    def to_example(self, row: Row) -> Conversation:
        prompt, context = row[self.prompt], text_of(row, self.context)
        return Conversation.of(
            [
                Turn("system", text_of(row, self.system)),
                Turn("user", f"{context}\n\n{prompt}" if context else prompt),
                Turn("assistant", row[self.completion]),
            ]
        )
