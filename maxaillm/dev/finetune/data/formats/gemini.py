"""Gemini and Vertex: contents: [{role, parts: [{text}]}], with the system's word beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError
from maxaillm.dev.finetune.data.rows.tool_calls import calls_of, tools_of, written
from maxaillm.dev.finetune.data.rows.unread import Unread, objects_in, only, others
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    items_of,
    list_problem,
    object_of,
    role_of,
    turn_problem,
    wrong_type,
)

SYSTEMS = ("systeminstruction", "system_instruction")
DECLARATIONS = ("functionDeclarations", "function_declarations")
CALL, RESULT = ("functionCall", "function_call"), ("functionResponse", "function_response")


@formats.register
class GeminiFormat(DataFormat):
    """Each row is a conversation: contents with role and parts."""

    label: ClassVar[str] = "Gemini"
    summary: ClassVar[str] = "contents: a list of {role, parts}, from user or model."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["gemini"] = "gemini"
    contents: str = Field(
        "contents", title="Contents", description="A list of objects: role and parts."
    )
    system: str | None = Field(
        None,
        title="System instruction",
        description="An object with parts, or a text; may be empty in a row.",
    )
    tools: str | None = Field(
        None, title="Tools", description="A list of objects with functionDeclarations."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        contents = present.get("contents")
        if contents is None or not is_mostly(sample, lambda row: has_parts(row.get(contents))):
            return None
        system = next((present[name] for name in SYSTEMS if name in present), None)
        return cls(contents=contents, system=system, tools=present.get("tools"))

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.contents, "a list of contents")
        if problem is not None:
            return problem
        try:
            self.declared(row)
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row), self.declared(row))

    def reads(self) -> Mapping[str, Unread | None]:
        read = {**super().reads(), self.contents: unread_in_contents}
        if self.system:
            read[self.system] = only("role", parts=only("text"))
        if self.tools:
            read[self.tools] = only(*DECLARATIONS)
        return read

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        system = row.get(self.system) if self.system else None
        behaviour = object_of(system) or ({"parts": [{"text": system}]} if system else None)
        turns = (
            [] if behaviour is None else [Turn("system", text_in(behaviour.get("parts"), "system"))]
        )
        for number, content in enumerate(items_of(row[self.contents]) or (), start=1):
            turns += turns_of(content, number)
        return turns

    def declared(self, row: Row) -> str | None:
        """The tools, as OpenAI writes them. Raises TurnError."""
        listed = items_of(row.get(self.tools)) if self.tools else None
        given = [
            part_of(each, DECLARATIONS)
            for each in listed or ()
            if isinstance(each, dict) and part_of(each, DECLARATIONS)
        ]
        tools = tools_of([tool for tools in given for tool in items_of(tools) or [tools]])
        if isinstance(tools, RowProblem):
            raise TurnError(tools)
        return tools


def turns_of(content: Any, number: int) -> list[Turn]:
    """The turns of one content: what functions found are turns of their own. Raises TurnError."""
    if not isinstance(content, dict):
        raise TurnError(wrong_type(f"content {number}", content, "an object"))
    role = role_of(content.get("role", "user"), number)
    if isinstance(role, RowProblem):
        raise TurnError(role)
    parts = content.get("parts")
    parts = [parts] if isinstance(parts, dict) else parts
    given = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    found = [result for part in given if (result := object_of(part_of(part, RESULT))) is not None]
    turns = [result_turn(result) for result in found]
    if len(found) == len(given) > 0 and len(given) == len(parts or ()):
        return turns
    calls = calls_of([call for part in given if (call := called_in(part))], number)
    if isinstance(calls, RowProblem):
        raise TurnError(calls)
    silent = [part for part in given if "text" not in part and part_of(part, (*CALL, *RESULT))]
    said = [part for part in parts if part not in silent] if isinstance(parts, list) else parts
    text = "" if calls and not said else text_in(said, f"content {number}")
    return [*turns, Turn(role, text, calls=calls)]


def result_turn(result: dict[str, Any]) -> Turn:
    """What a function found."""
    return Turn("tool", written(result.get("response")), name=str(result.get("name") or ""))


def called_in(part: Any) -> dict[str, Any] | None:
    """The call in a part, what it gives to the function under the name that others use."""
    call = object_of(part_of(part, CALL))
    if call is None:
        return None
    return {"name": call.get("name"), "arguments": call.get("args")} | (
        {"id": call["id"]} if call.get("id") else {}
    )


def text_in(parts: Any, where: str) -> str:
    """The text of the parts."""
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list):
        raise TurnError(wrong_type(f"parts of {where}", parts, "a list"))
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        message = f"The parts of {where} hold more than text; only text is learned."
        raise TurnError(RowProblem("not_text", message, "Remove the part or the row."))
    return "\n".join(map(str, texts))


def unread_in_contents(value: Any) -> Iterator[str]:
    for content in objects_in(value):
        yield from others({"role", "parts"}, content)
        for part in objects_in(content.get("parts")):
            read = {
                name for names in (CALL, RESULT) for name in names[: 1 + (names[0] not in part)]
            }
            yield from (f"parts.{key}" for key in others({"text", *read}, part))
            for names, keys in ((CALL, {"id", "name", "args"}), (RESULT, {"name", "response"})):
                for inner in objects_in(part_of(part, names)):
                    yield from (f"parts.{names[0]}.{key}" for key in others(keys, inner))


def part_of(part: Any, names: Sequence[str]) -> Any:
    found = [part[name] for name in names if name in part] if isinstance(part, dict) else []
    return found[0] if found else None


def has_parts(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and "parts" in items[0]
