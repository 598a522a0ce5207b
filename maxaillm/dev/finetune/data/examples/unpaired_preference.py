"""Unpaired preference: a prompt, and an answer that is desirable or not. KTO learns from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, PromptColumn, ToolsColumn
from maxaillm.dev.finetune.data.columns.targets import FlagColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.rows.messages import Message


@example_kinds.register
class UnpairedPreference(Example):
    """A prompt and a way that it goes on, which is as it should be or not."""

    plural: ClassVar[str] = "unpaired preferences"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {"preference": ("preferred",)}
    former_names: ClassVar[tuple[str, ...]] = ("Judged",)
    messages: Annotated[list[Message], PromptColumn()]
    completion: Annotated[
        list[Message], AnswerColumn(good="Desirable", poor="Undesirable", flag="desirable")
    ]
    desirable: Annotated[bool, FlagColumn(("undesirable", "desirable"))]
    tools: Annotated[str | None, ToolsColumn()] = None
