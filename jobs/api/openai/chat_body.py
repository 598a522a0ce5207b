"""The body of a request for the next turn of a chat."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from jobs.api.openai.bodies import AnswerBody, Body, as_text
from jobs.api.openai.errors import refused
from maxaillm.dev.finetune.data.rows.messages import Message, TurnError, messages_of, turns_of
from maxaillm.dev.finetune.data.rows.tool_calls import tools_of
from maxaillm.dev.finetune.data.rows.values import RowProblem
from maxaillm.model.sampling import SamplingOptions

MAX_CHARACTERS = 400_000
Schema = dict[str, JsonValue]


class TextPart(Body):
    type: Literal["text"]
    text: str


class ChatMessage(Body):
    """A turn; what calls of tools hold is judged as in a data file."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    reasoning_content: str | None = None
    name: str | None = Field(None, max_length=200)
    tool_calls: list[dict[str, JsonValue]] | None = None
    tool_call_id: str | None = Field(None, max_length=200)


class NamedSchema(Body):
    name: str = Field(max_length=64)
    description: str | None = Field(None, description="Noted nowhere: the model is not told.")
    schema_: Schema = Field(alias="schema")
    strict: bool | None = Field(None, description="The answer always fits the schema.")


class ResponseFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def require_schema(self) -> Self:
        if (self.json_schema is not None) != (self.type == "json_schema"):
            raise ValueError("The type json_schema comes with a json_schema, the others without.")
        return self


class NamedFunction(Body):
    name: str = Field(max_length=64)


class NamedTool(Body):
    type: Literal["function"]
    function: NamedFunction


class ChatRequest(AnswerBody):
    """A request for the next turn of a chat."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[dict[str, JsonValue]] | None = Field(
        None, max_length=128, description="What the model's chat template is told it may call."
    )
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = Field(
        None,
        description="`required` and a named function make the answer one call, by its schema.",
    )
    parallel_tool_calls: Literal[True] | None = None
    safety_identifier: str | None = Field(None, description="As `user`.")
    prompt_cache_key: str | None = Field(None, description="As `user`.")
    metadata: dict[str, str] | None = Field(None, description="As `user`.")
    service_tier: Literal["auto", "default"] | None = None

    def chat(self) -> tuple[list[Message], str | None]:
        """The messages and, as JSON, the tools that may be called. Raises ConfigError."""
        given = [as_text(message.model_dump(exclude_none=True)) for message in self.messages]
        try:
            read = messages_of(turns_of(given, "messages"))
            tools = None if self.tool_choice == "none" else tools_of(as_text(self.tools))
        except TurnError as error:
            raise refused("messages", error.problem.message) from None
        if isinstance(tools, RowProblem):
            raise refused("tools", tools.message)
        messages = [Message.model_validate(message) for message in read]
        if not messages:
            raise refused("messages", "There is nothing to answer: every message is empty.")
        if len(json.dumps(read, ensure_ascii=False)) + len(tools or "") > MAX_CHARACTERS:
            raise refused("messages", f"The chat has more than {MAX_CHARACTERS:,} characters.")
        return messages, tools

    def options(self, tools: str | None) -> list[SamplingOptions]:
        """How each choice is drawn. Raises ConfigError."""
        if self.top_logprobs is not None and not self.logprobs:
            raise refused("top_logprobs", "It needs `logprobs: true`.")
        more: dict[str, Any] = {
            "max_new_tokens": self.max_completion_tokens or self.max_tokens,
            "logprobs": (self.top_logprobs or 0) if self.logprobs else None,
        }
        return self.sampling(**more, **self.structure(tools))

    @property
    def is_call_forced(self) -> bool:
        return self.tool_choice == "required" or isinstance(self.tool_choice, NamedTool)

    def structure(self, tools: str | None) -> dict[str, Any]:
        """What shape the answer has to have."""
        wanted = self.response_format
        is_free = wanted is None or wanted.type == "text"
        if self.is_call_forced:
            if not is_free:
                raise refused("response_format", "A forced call has the shape of its function.")
            return {"json_schema": self.call_schema(tools)}
        if wanted is None or is_free:
            return {}
        if tools:
            message = "JSON can't be promised while the model may call tools: set tool_choice none."
            raise refused("response_format", message)
        if wanted.json_schema is not None:
            return {"json_schema": wanted.json_schema.schema_}
        return {"json_object": True}

    def call_schema(self, tools: str | None) -> Schema:
        """The schema of one call of the named function, or of any. Raises ConfigError."""
        functions = [tool.get("function", tool) for tool in json.loads(tools or "[]")]
        if isinstance(self.tool_choice, NamedTool):
            name = self.tool_choice.function.name
            functions = [function for function in functions if function.get("name") == name]
        if not functions:
            raise refused("tool_choice", "It names no function of `tools`.")
        calls: list[JsonValue] = [call_of(function) for function in functions]
        return {"anyOf": calls} if len(calls) > 1 else dict(calls[0])  # type: ignore[arg-type]


def call_of(function: dict[str, Any]) -> Schema:
    parameters = function.get("parameters") or {"type": "object"}
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
