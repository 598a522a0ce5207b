"""Tools and calls of them, as OpenAI's chats and those that followed it write them down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.data.rows.unread import holds, objects_in, others
from maxaillm.dev.finetune.data.rows.values import (
    RowProblem,
    is_blank,
    items_of,
    object_of,
    wrong_type,
)

ARGUMENTS = ("arguments", "parameters")
"""What is given to a tool; the second as Llama writes its own calls."""


class ToolCall(BaseModel):
    """A call of a tool by the assistant."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str | None = None
    name: str
    arguments: str
    """JSON, as the file has it: objects of one file rarely have the same keys and types."""

    def for_template(self) -> dict[str, Any]:
        """The call as chat templates take it: its arguments are an object."""
        given = arguments_of(self.arguments)
        call = {"type": "function", "function": {"name": self.name, "arguments": given}}
        return call if self.id is None else {"id": self.id, **call}


def arguments_of(text: str) -> Any:
    """The object that `text` writes as JSON; another text as it stands."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return given if isinstance(given, dict) else text


def calls_of(value: object, number: int) -> tuple[Mapping[str, str], ...] | RowProblem:
    """The calls in message `number`: a list of them or a single one, each as a ToolCall has it."""
    single = object_of(value)
    items = [single] if single is not None else items_of(value)
    if items is None:
        return wrong_type(f"tool_calls of message {number}", value, "a list of calls")
    found = []
    for item in items:
        call = call_of(item, number)
        if isinstance(call, RowProblem):
            return call
        found.append(call)
    return tuple(found)


def call_of(item: object, number: int) -> Mapping[str, str] | RowProblem:
    if not isinstance(item, dict):
        return wrong_type(f"a tool call of message {number}", item, "an object")
    function = object_of(item.get("function")) or item
    name = function.get("name")
    if not isinstance(name, str) or is_blank(name):
        message = f"A tool call of message {number} has no name."
        return RowProblem("no_tool_name", message, "Name the function that is called.")
    given: Any = next((function[key] for key in ARGUMENTS if function.get(key) is not None), {})
    call = {"name": name, "arguments": written(given)}
    return call if item.get("id") is None else {"id": str(item["id"]), **call}


def written(value: Any) -> str:
    """`value` as JSON; a text stands for the JSON that it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unread_in_calls(value: Any) -> Iterator[str]:
    """What calls hold beside id, name and arguments."""
    for call in objects_in(value):
        function = object_of(call.get("function"))
        kind = set() if holds(call.get("type")) and call["type"] != "function" else {"type"}
        if function is None:
            yield from others({"id", "name", read_arguments(call)} | kind, call)
            continue
        yield from others({"id", "function"} | kind, call)
        read = {"name", read_arguments(function)}
        yield from (f"function.{key}" for key in others(read, function))


def read_arguments(function: Mapping[str, Any]) -> str:
    return next((key for key in ARGUMENTS if function.get(key) is not None), ARGUMENTS[0])


def tools_of(value: object) -> str | RowProblem | None:
    """The tools that may be called, as the JSON of a list; None where there are none.

    OpenAI's older `functions` become tools. What a row holds as JSON already stays as it is.
    """
    if not holds(value):
        return None
    single = object_of(value)
    items = [single] if single is not None else items_of(value)
    if items is None:
        return wrong_type("tools", value, "a list of tools")
    tools = [object_of(item) for item in items]
    if None in tools:
        return wrong_type("a tool", items[tools.index(None)], "an object")
    found = [tool_of(tool) for tool in tools if tool]
    if not found:
        return None
    is_same = isinstance(value, str) and found == items and is_json(value)
    return str(value) if is_same else json.dumps(found, ensure_ascii=False)


def tool_of(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as OpenAI has it: also one that stands bare, as Anthropic's with `input_schema`, or
    within Bedrock's `toolSpec`."""
    if isinstance(spec := tool.get("toolSpec"), dict):
        schema = object_of(spec.get("inputSchema")) or {}
        function = {key: value for key, value in spec.items() if key != "inputSchema"}
        return {
            "type": "function",
            "function": function | {"parameters": schema.get("json", schema)},
        }
    if "function" in tool or "name" not in tool or tool.get("type", "custom") != "custom":
        return tool
    function = {
        "parameters" if key == "input_schema" else key: tool[key] for key in tool if key != "type"
    }
    return {"type": "function", "function": function}


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_call(value: object) -> bool:
    """Whether `value` is a call: an object that names a function and what it is given."""
    if not isinstance(value, dict):
        return False
    inner = value.get("function")
    function = inner if isinstance(inner, dict) else value
    return isinstance(function.get("name"), str) and not function.keys().isdisjoint(ARGUMENTS)
