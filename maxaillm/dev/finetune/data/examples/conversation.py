"""Conversation: turns that end with an assistant's; what it says is what is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.messages import DialogueColumn, ToolsColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.rows.messages import Message


@example_kinds.register
class Conversation(Example):
    """Turns that end with an assistant's."""

    plural: ClassVar[str] = "conversations"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "seq2seq_lm": ("perplexity", "chrf", "exact_match"),
        "causal_lm": ("perplexity",),
    }
    has_answers: ClassVar[bool] = True
    messages: Annotated[list[Message], DialogueColumn()]
    tools: Annotated[str | None, ToolsColumn()] = None
