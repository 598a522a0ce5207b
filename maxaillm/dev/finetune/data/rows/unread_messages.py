"""Unread keys of messages: what a chat holds that `rows.messages` does not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maxaillm.dev.finetune.data.rows.message_parts import holds_results_alone, unread_in_part
from maxaillm.dev.finetune.data.rows.messages import (
    CALLS,
    PLAIN,
    REASONING,
    WEIGHTS,
    content_key,
    is_turn,
)
from maxaillm.dev.finetune.data.rows.tool_calls import unread_in_calls
from maxaillm.dev.finetune.data.rows.unread import objects_in, others
from maxaillm.dev.finetune.data.rows.values import object_of


def unread_in_turns(value: Any) -> Iterator[str]:
    """What a cell with messages holds that `turns_in` does not read, message by message."""
    single = object_of(value)
    if single is not None and "messages" in single:
        yield from others({"messages", "tools"}, single)
        yield from (f"messages.{key}" for key in unread_in_turns(single["messages"]))
        return
    items = list(objects_in(value))
    if isinstance(value, str) and not all(map(is_turn, items)):
        return  # a text that looks like JSON
    for item in items:
        if not item.keys() <= PLAIN or isinstance(item.get("content"), list):
            yield from unread_in_message(item)


def unread_in_message(item: dict[str, Any]) -> Iterator[str]:
    weight = next((key for key in WEIGHTS if item.get(key) is not None), "weight")
    speaker = "role" if "role" in item else "from"
    text = content_key(item)
    read = {speaker, text, weight, "name", "tool_call_id", *REASONING, *CALLS}
    is_silent = not any(item.get(key) for key in (*REASONING, *CALLS))
    if item.get(speaker) != "tool" and is_silent and holds_results_alone(item.get(text)):
        read -= {"name", "tool_call_id"}  # each result has its own
    yield from others(read, item)
    for key in CALLS:
        yield from (f"{key}.{inner}" for inner in unread_in_calls(item.get(key)))
    for part in item[text] if isinstance(item.get(text), list) else ():
        if isinstance(part, dict):
            yield from (f"{text}.{key}" for key in unread_in_part(part))
