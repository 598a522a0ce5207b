"""Logs of a chat API: the request with its messages, and the response with what was answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError, tools_in, turns_of
from maxaillm.dev.finetune.data.rows.unread import Unread, holds, objects_in, others
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_mostly,
    object_of,
    turn_problem,
    wrong_type,
)

REQUESTS = ("request", "body", "params", "input")
RESPONSES = ("response", "output", "result")


@formats.register
class ApiLogFormat(DataFormat):
    """Each row is a call of a chat API, as OpenAI's, or a request of a batch with its result."""

    label: ClassVar[str] = "API log"
    summary: ClassVar[str] = "request or body with messages, and response with choices."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["api_log"] = "api_log"
    request: str = Field(
        "request", title="Request", description="An object with the list messages."
    )
    response: str = Field(
        "response",
        title="Response",
        description="An object with the list choices, or with a body that has it; the first is "
        "learned.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        request = next((present[name] for name in REQUESTS if name in present), None)
        response = next((present[name] for name in RESPONSES if name in present), None)
        if request is None or response is None or request == response:
            return None
        if not is_mostly(sample, lambda row: is_call(row.get(request), row.get(response))):
            return None
        return cls(request=request, response=response)

    def check(self, row: Row) -> RowProblem | None:
        try:
            self.tools(row)
            return turn_problem(self.turns(row))
        except TurnError as error:
            return error.problem

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row), self.tools(row))

    def reads(self) -> Mapping[str, Unread | None]:
        read = {self.request: unread_in_request, self.response: unread_in_response}
        return {**super().reads(), **read}

    def tools(self, row: Row) -> str | None:
        """What the request let the model call. Raises TurnError."""
        asked = object_of(row.get(self.request)) or {}
        return tools_in(asked, "tools" if holds(asked.get("tools")) else "functions")

    def turns(self, row: Row) -> list[Turn]:
        """Raises TurnError."""
        asked = object_of(row.get(self.request))
        if asked is None or not isinstance(asked.get("messages"), list):
            wanted = "an object with the list messages"
            raise TurnError(wrong_type(self.request, row.get(self.request), wanted))
        answer = answer_in(row.get(self.response))
        if answer is None:
            message = f"{self.response!r} holds no answer."
            raise TurnError(RowProblem("no_answer", message, "Leave out calls that failed."))
        return [*turns_of(asked["messages"], "messages"), *turns_of([answer], self.response)]


def is_call(request: Any, response: Any) -> bool:
    asked = object_of(request)
    is_asked = asked is not None and isinstance(asked.get("messages"), list)
    return is_asked and answer_in(response) is not None


def unread_in_request(value: Any) -> Iterator[str]:
    for request in objects_in(value):
        tools = "tools" if holds(request.get("tools")) else "functions"
        yield from others({"messages", tools}, request)
        yield from (f"messages.{key}" for key in unread_in_turns(request.get("messages")))


def unread_in_response(value: Any) -> Iterator[str]:
    for response in objects_in(value):
        body = response.get("body")
        if isinstance(body, dict):
            yield from others({"body"}, response)
            yield from (f"body.{key}" for key in unread_in_body(body))
        else:
            yield from unread_in_body(response)


def unread_in_body(body: dict[str, Any]) -> Iterator[str]:
    yield from others({"choices"}, body)
    for number, choice in enumerate(objects_in(body.get("choices")), start=1):
        if number > 1:
            yield f"choices.{number}"
            continue
        yield from (f"choices.{key}" for key in others({"message"}, choice))
        yield from (f"choices.message.{key}" for key in unread_in_turns(choice.get("message")))


def answer_in(response: Any) -> dict[str, Any] | None:
    """The message of the first choice; of a batch's result it lies in the body."""
    found = object_of(response)
    if found is not None and isinstance(found.get("body"), dict):
        found = found["body"]
    choices = found.get("choices") if found is not None else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else None
