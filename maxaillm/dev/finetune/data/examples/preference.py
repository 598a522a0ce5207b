"""Preference: a prompt, an answer that is chosen and one that is rejected. DPO learns from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, PromptColumn, ToolsColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.rows.messages import Message


@example_kinds.register
class Preference(Example):
    """A prompt, and two ways that it may go on, of which one is the better."""

    plural: ClassVar[str] = "preference pairs"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {"preference": ("preferred",)}
    messages: Annotated[list[Message], PromptColumn()]
    chosen: Annotated[list[Message], AnswerColumn(good="Chosen")]
    rejected: Annotated[list[Message], AnswerColumn(poor="Rejected")]
    tools: Annotated[str | None, ToolsColumn()] = None
