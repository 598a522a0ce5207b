"""A chat and its answer in two columns: TRL's message lists, OpenAI's reinforcement data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    text_column,
    tools_column,
    tools_field,
)
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    ends_with_question,
    prompt_in,
    refuse_broken,
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
    is_mostly,
    optional_text_problem,
)

PROMPTS = ("prompt", "messages", "conversations")
ANSWERS = (
    "completion", "response", "answer", "solution", "reference_answer", "expected_answer",
    "expected_output", "reference_code", "ground_truth",
)  # fmt: skip
"""Those from the third on are what graders of reinforcement learning compare with."""


@formats.register
class ChatPairFormat(DataFormat):
    """A chat that waits for an answer, and the answer in a column of its own."""

    label: ClassVar[str] = "Chat and answer"
    summary: ClassVar[str] = "prompt, a list of messages, and completion or answer in each row."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["chat_pair"] = "chat_pair"
    prompt: str = text_column(
        "prompt", title="Chat", description="Messages of which the user has the last, or a text."
    )
    completion: str = text_column(
        "completion", title="Answer", description="A text, or messages of the assistant."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    tools: str | None = tools_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Two columns that may be the answer, such as code and what it prints, tell nothing."""
        present = columns_by_name(sample)
        prompt = next((present[name] for name in PROMPTS if name in present), None)
        answers = [present[name] for name in ANSWERS if name in present]
        if prompt is None or len(answers) != 1:
            return None
        if not is_mostly(sample, lambda row: ends_with_question(row.get(prompt))):
            return None
        return cls(
            prompt=prompt,
            completion=answers[0],
            system=present.get("system"),
            tools=tools_column(sample),
        )

    def check(self, row: Row) -> RowProblem | None:
        try:
            self.turns(row)
            tools_in(row, self.tools)
        except TurnError as error:
            return error.problem
        return optional_text_problem(row, self.system)

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row), tools_in(row, self.tools))

    def reads(self) -> Mapping[str, Unread | None]:
        return {
            **super().reads(),
            self.prompt: unread_in_turns,
            self.completion: unread_in_turns,
        }

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError. What was answered earlier is given, not learned."""
        asked = prompt_in(row, self.prompt, None, self.system)
        given = [turn._replace(weight=0) if turn.role == "assistant" else turn for turn in asked]
        answer = turns_in(row, self.completion, "assistant")
        refuse_broken(given, answer, self.completion)
        return given + answer
