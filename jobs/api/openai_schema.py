"""The bodies of OpenAI's chat API: what is understood of a request, how answers are written."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from jobs.inference_queue.requests import Outcome, Piece, Usage
from maxaillm.dev.finetune.data.rows.messages import Message, TurnError, messages_of, turns_of
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall, tools_of
from maxaillm.dev.finetune.data.rows.values import RowProblem
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.model.sampling import SamplingOptions

MAX_CHARACTERS = 400_000
DEFAULTS = SamplingOptions(temperature=1, top_p=1)
"""OpenAI's, where a request names none."""


class Body(BaseModel):
    """A part of a request. An option that is not honoured is refused by its name, unless it asks
    for nothing: clients send back what they got, with empty fields of other servers in it."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def drop_empty_options(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        known = cls.model_fields
        return {name: value for name, value in given.items() if name in known or asks(value)}


def asks(value: object) -> bool:
    """Whether an option with this value asks for something; 0 may."""
    return value is not None and value is not False and value not in ("", [], {})


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


def as_text(value: Any) -> Any:
    """JSON without lone surrogates: valid in its escapes, but no text."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [as_text(item) for item in value]
    if isinstance(value, dict):
        return {as_text(key): as_text(item) for key, item in value.items()}
    return value


class StreamOptions(Body):
    include_usage: bool = False


class ResponseFormat(Body):
    type: Literal["text"] = Field(description="JSON is not enforced by this server.")


class ChatRequest(Body):
    """A request for the next turn of a chat."""

    model: str = Field(max_length=500, description="The name of a model, as in /v1/models.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    seed: int | None = Field(None, ge=0, le=2**32 - 1)
    stop: str | list[str] | None = None
    n: Literal[1] | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    response_format: ResponseFormat | None = None
    tools: list[dict[str, JsonValue]] | None = Field(
        None, max_length=128, description="What the model's chat template is told it may call."
    )
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: Literal[True] | None = None
    top_k: int | None = Field(None, ge=1, le=1000)
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    user: str | None = Field(None, description="Noted nowhere; it does not change the answer.")
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

    @property
    def sampling(self) -> SamplingOptions:
        """Raises ValidationError, as for five stop words."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        given: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_completion_tokens or self.max_tokens,
            "seed": self.seed,
            "stop": stop,
            "top_k": self.top_k,
            "repetition_penalty": self.repetition_penalty,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
        }
        known = {name: value for name, value in given.items() if value is not None}
        return SamplingOptions.model_validate(DEFAULTS.model_dump() | known)


def refused(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, message, None, "")])


class Reply:
    """Writes one answer, whole or in chunks."""

    def __init__(self, answer_id: str, model: str) -> None:
        self.calls = 0
        """Calls of tools that were told already."""
        self.head: dict[str, JsonValue] = {
            "id": f"chatcmpl-{answer_id}",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, outcome: Outcome) -> dict[str, JsonValue]:
        calls: list[JsonValue] = [call_of(call) for call in outcome.tool_calls]
        message: dict[str, JsonValue] = {"role": "assistant", "content": outcome.text}
        if outcome.reasoning:
            message["reasoning_content"] = outcome.reasoning
        if calls:
            message |= {"content": outcome.text or None, "tool_calls": calls}
        choice: dict[str, JsonValue] = {
            "index": 0,
            "message": message,
            "finish_reason": finish_word(outcome),
        }
        return self.head | {
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_of(outcome.usage),
        }

    def delta(self, piece: Piece) -> dict[str, JsonValue]:
        """What a piece adds to the message; a call comes as a whole."""
        if piece.kind == "call":
            call = {"index": self.calls, **call_of(ToolCall.model_validate_json(piece.data))}
            self.calls += 1
            return {"tool_calls": [call]}
        return {"content" if piece.kind == "text" else "reasoning_content": piece.data}

    def chunk(self, delta: dict[str, JsonValue], finish: str | None = None) -> dict[str, JsonValue]:
        choice: dict[str, JsonValue] = {"index": 0, "delta": delta, "finish_reason": finish}
        return self.head | {"object": "chat.completion.chunk", "choices": [choice]}

    def usage_chunk(self, usage: Usage) -> dict[str, JsonValue]:
        tail: dict[str, JsonValue] = {"choices": [], "usage": usage_of(usage)}
        return self.head | {"object": "chat.completion.chunk"} | tail


def call_of(call: ToolCall) -> dict[str, JsonValue]:
    function: dict[str, JsonValue] = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def finish_word(outcome: Outcome) -> str:
    if outcome.usage.finish_reason in {"length", "time"}:
        return "length"
    return "tool_calls" if outcome.tool_calls else "stop"


def usage_of(usage: Usage) -> dict[str, JsonValue]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
