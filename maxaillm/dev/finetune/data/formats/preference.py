"""Preferences: a prompt, the answer that is better and the one that is worse."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Self

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    formats,
    text_column,
    tools_column,
    tools_field,
    with_tools,
)
from maxaillm.dev.finetune.data.rows.messages import (
    TurnError,
    messages_of,
    prompt_in,
    refuse_broken,
    spoken_turns,
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
    object_of,
    optional_text_problem,
    text_of,
)

ANSWERS = (
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("chosen_response", "rejected_answer"),
    ("preferred_output", "non_preferred_output"),
    ("text", "rejected_text"),
    ("messages", "rejected_response"),
)
"""TRL and LLaMA-Factory; Axolotl; H2O LLM Studio; OpenAI; AutoTrain; Simplismart."""
PROMPTS = ("prompt", "instruction", "question", "query", "input", "messages", "conversations")


class PreferencePair(NamedTuple):
    """What is asked, and how it may go on."""

    messages: list[Turn]
    chosen: list[Turn]
    rejected: list[Turn]


@formats.register
class PreferenceFormat(DataFormat):
    """A prompt and two answers, of which one is preferred."""

    label: ClassVar[str] = "Preferences"
    summary: ClassVar[str] = "prompt, chosen and rejected in each row: texts or lists of messages."
    gives: ClassVar[type[Example]] = Preference
    is_usual: ClassVar[bool] = True

    name: Literal["preference"] = "preference"
    chosen: str = text_column(
        "chosen", title="Chosen", description="The better answer, or the conversation with it."
    )
    rejected: str = text_column(
        "rejected", title="Rejected", description="The worse answer, or the conversation with it."
    )
    prompt: str | None = text_column(
        None,
        title="Prompt",
        description="A text or a list of messages. Not needed where both answers are whole "
        "conversations: then it is what they have in common.",
    )
    input: str | None = text_column(
        None, title="Input", description="What the prompt is about; may be empty in a row."
    )
    rejected_prompt: str | None = text_column(
        None,
        title="Prompt of the worse answer",
        description="Where a file repeats it: rows with another prompt are refused.",
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )
    tools: str | None = tools_field()

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        answers = next((pair for pair in ANSWERS if present.keys() >= set(pair)), None)
        if answers is None:
            return None
        chosen, rejected = (present[name] for name in answers)
        prompts = [name for name in PROMPTS if name in present and name not in answers]
        matter = present.get("input") if "instruction" in prompts[:1] else None
        if len(prompts) > 1 and prompts[0] not in ("prompt", "instruction"):
            return None
        if not prompts and not is_mostly(sample, lambda row: is_conversation(row, chosen)):
            return None
        return cls(
            chosen=chosen,
            rejected=rejected,
            prompt=present[prompts[0]] if prompts else None,
            input=matter,
            rejected_prompt=present.get("rejected_prompt"),
            system=present.get("system"),
            tools=tools_column(sample),
        )

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(prompt="messages", tools="tools" if "tools" in columns else None)

    def check(self, row: Row) -> RowProblem | None:
        try:
            self.pair(row)
            self.tools_of(row)
        except TurnError as error:
            return error.problem
        texts = (self.input, self.system, self.rejected_prompt)
        return first_problem(optional_text_problem(row, name) for name in texts)

    def to_fields(self, row: Row) -> Fields:
        parts = {name: messages_of(turns) for name, turns in self.pair(row)._asdict().items()}
        return parts | with_tools(self.tools_of(row))

    def reads(self) -> Mapping[str, Unread | None]:
        turns = (self.prompt, self.chosen, self.rejected, self.rejected_prompt)
        read = dict.fromkeys(filter(None, turns), unread_in_turns)
        return {**super().reads(), **read}

    def tools_of(self, row: Row) -> str | None:
        """Beside the prompt, or within it as OpenAI has them. Raises TurnError."""
        within = object_of(row.get(self.prompt)) if self.prompt else None
        return tools_in(row, self.tools) or tools_in(within or {}, "tools")

    def pair(self, row: Row) -> PreferencePair:
        """Raises TurnError."""
        prompt = prompt_in(row, self.prompt, self.input, self.system)
        if (other := text_of(row, self.rejected_prompt)) and other != text_of(row, self.prompt):
            message = f"{self.rejected_prompt!r} and {self.prompt!r} differ."
            fix = "Give both answers to the same prompt."
            raise TurnError(RowProblem("two_prompts", message, fix))
        chosen = turns_in(row, self.chosen, "assistant")
        rejected = turns_in(row, self.rejected, "assistant")
        if starts_anew(chosen):
            whole = rejected if starts_anew(rejected) else chosen[:-1] + rejected
            behaviour = [turn for turn in prompt[:1] if turn.role == "system"]
            prompt, chosen, rejected = parted(chosen, whole)
            prompt = behaviour * (prompt[0].role != "system") + prompt
        if chosen == rejected:
            message = f"{self.chosen!r} and {self.rejected!r} are the same."
            raise TurnError(RowProblem("no_difference", message, "Remove the row."))
        refuse_broken(prompt, chosen, self.chosen)
        refuse_broken(prompt, rejected, self.rejected)
        return PreferencePair(prompt, chosen, rejected)


def parted(chosen: list[Turn], rejected: list[Turn]) -> PreferencePair:
    """Two conversations as their common beginning and how each goes on from an assistant's turn."""
    common = 0
    while chosen[common:] and rejected[common:] and chosen[common] == rejected[common]:
        common += 1
    while common and not (goes_on(chosen, common) and goes_on(rejected, common)):
        common -= 1
    if not common:
        message = "The two conversations have no prompt in common."
        raise TurnError(RowProblem("no_prompt", message, "Begin both with the same question."))
    return PreferencePair(chosen[:common], chosen[common:], rejected[common:])


def goes_on(turns: Sequence[Turn], place: int) -> bool:
    return place < len(turns) and turns[place].role == "assistant"


def is_conversation(row: Row, column: str) -> bool:
    value = row.get(column)
    if isinstance(value, str) and value.lstrip()[:1] != "[":
        return bool(spoken_turns(value))
    try:
        return starts_anew(turns_in(row, column, "assistant"))
    except TurnError:
        return False
