"""The bodies of OpenAI's chat API: what is understood of a request, how answers are written."""

from __future__ import annotations

import time
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from jobs.inference_queue.requests import FinishReason, Usage
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.model.sampling import SamplingOptions

MAX_CHARACTERS = 400_000
DEFAULTS = SamplingOptions(temperature=1, top_p=1)
"""OpenAI's, where a request names none."""
REFUSED = ("tools", "functions", "logprobs", "top_logprobs", "logit_bias", "audio", "prediction")
"""Options that would change the answer and that this server can't do; the rest is let pass."""


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    def as_message(self) -> Message:
        parts = self.content if isinstance(self.content, list) else []
        said = self.content if isinstance(self.content, str) else "".join(p.text for p in parts)
        # A lone surrogate is valid in JSON's escapes, but no text.
        text = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        role: Any = "system" if self.role == "developer" else self.role
        return Message(role=role, content=text)


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """A request for the next turn of a chat."""

    model_config = ConfigDict(extra="allow")

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
    top_k: int | None = Field(None, ge=1, le=1000)
    repetition_penalty: float | None = Field(None, ge=1, le=2)

    @model_validator(mode="after")
    def can_be_done(self) -> Self:
        for name in REFUSED:
            if (self.model_extra or {}).get(name):
                raise ValueError(f"{name} is not supported by this server.")
        if sum(len(message.as_message().content) for message in self.messages) > MAX_CHARACTERS:
            raise ValueError(f"The messages have more than {MAX_CHARACTERS:,} characters.")
        return self

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
        }
        known = {name: value for name, value in given.items() if value is not None}
        return SamplingOptions.model_validate(DEFAULTS.model_dump() | known)


class Reply:
    """Writes one answer, whole or in chunks."""

    def __init__(self, answer_id: str, model: str) -> None:
        self.head: dict[str, JsonValue] = {
            "id": f"chatcmpl-{answer_id}",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, text: str, usage: Usage) -> dict[str, JsonValue]:
        choice: dict[str, JsonValue] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": finish_word(usage.finish_reason),
        }
        return self.head | {
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_of(usage),
        }

    def chunk(self, delta: dict[str, JsonValue], finish: str | None = None) -> dict[str, JsonValue]:
        choice: dict[str, JsonValue] = {"index": 0, "delta": delta, "finish_reason": finish}
        return self.head | {"object": "chat.completion.chunk", "choices": [choice]}

    def usage_chunk(self, usage: Usage) -> dict[str, JsonValue]:
        tail: dict[str, JsonValue] = {"choices": [], "usage": usage_of(usage)}
        return self.head | {"object": "chat.completion.chunk"} | tail


def finish_word(reason: FinishReason) -> str:
    return "length" if reason in {"length", "time"} else "stop"


def usage_of(usage: Usage) -> dict[str, JsonValue]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
