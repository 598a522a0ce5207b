"""Gemini and Vertex: contents: [{role, parts: [{text}]}], with the system's word beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError
from maxaillm.dev.finetune.data.rows.values import (
    Role,
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

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        contents = present.get("contents")
        if contents is None or not is_mostly(sample, lambda row: has_parts(row.get(contents))):
            return None
        system = next((present[name] for name in SYSTEMS if name in present), None)
        return cls(contents=contents, system=system)

    def check(self, row: Row) -> RowProblem | None:
        problem = list_problem(row, self.contents, "a list of contents")
        if problem is not None:
            return problem
        try:
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        system = row.get(self.system) if self.system else None
        behaviour = object_of(system) or ({"parts": [{"text": system}]} if system else None)
        turns = [] if behaviour is None else [Turn("system", text_in(behaviour, "system"))]
        for number, content in enumerate(items_of(row[self.contents]) or (), start=1):
            turns.append(turn_of(content, number))
        return turns


def turn_of(content: Any, number: int) -> Turn:
    """Raises TurnError."""
    if not isinstance(content, dict):
        raise TurnError(wrong_type(f"content {number}", content, "an object"))
    role = role_of(content.get("role", "user"), number)
    if isinstance(role, RowProblem):
        raise TurnError(role)
    return Turn(tool_or(role, content), text_in(content, f"content {number}"))


def tool_or(role: Role, content: dict[str, Any]) -> Role:
    """The role; results of functions come in the user's name."""
    parts = content.get("parts")
    results = [part for part in parts if part_of(part, RESULT)] if isinstance(parts, list) else []
    return "tool" if results else role


def text_in(content: dict[str, Any], where: str) -> str:
    """The text of the parts; calls of functions as the JSON that asks for them."""
    parts = content.get("parts")
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(parts, list):
        raise TurnError(wrong_type(f"parts of {where}", parts, "a list"))
    texts: list[str] = []
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else None
        call = part_of(part, (*CALL, *RESULT))
        if not isinstance(text, str) and call is None:
            message = f"The parts of {where} hold more than text; only text is learned."
            raise TurnError(RowProblem("not_text", message, "Remove the part or the row."))
        texts.append(text if isinstance(text, str) else json.dumps(call, ensure_ascii=False))
    return "\n".join(texts)


def part_of(part: Any, names: Sequence[str]) -> Any:
    found = [part[name] for name in names if name in part] if isinstance(part, dict) else []
    return found[0] if found else None


def has_parts(value: Any) -> bool:
    items = items_of(value) or [None]
    return isinstance(items[0], dict) and "parts" in items[0]
