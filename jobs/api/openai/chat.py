"""`/v1/chat/completions`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase
from pydantic import JsonValue, TypeAdapter

from jobs.api.openai.answers import respond
from jobs.api.openai.callers import caller_of, find_target
from jobs.api.openai.chat_body import ChatRequest
from jobs.api.openai.errors import Json
from jobs.api.openai.interface import openai_api
from jobs.api.openai.written import chat_logprobs, finish_word, usage_of
from jobs.inference_queue.requests import Outcome, Piece, Request
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.model.logprobs import TokenLogprob

TOKENS = TypeAdapter(list[TokenLogprob])


@openai_api.post("/chat/completions", summary="The next turn of a chat", response={200: dict})
async def chat_completions(request: HttpRequest, body: ChatRequest) -> HttpResponseBase:
    """Answers whole, or with `stream` in chunks. Whoever hangs up stops the answer."""
    target = await find_target(caller_of(request), body.model)
    messages, tools = body.chat()
    asked = [
        Request(
            id=uuid4(),
            model=target.model.pk,
            messages=messages,
            tools=tools,
            options=options,
            is_split=True,
            may_cut=False,
        )
        for options in body.options(tools)
    ]
    reply = ChatReply(asked[0].id.hex, target.name, len(asked), is_call_forced=body.is_call_forced)
    streams = (body.stream, body.wants_usage)
    return await respond(asked, target, "chat/completions", reply, streams)


class ChatReply:
    """Writes the choices of one chat, whole or in chunks."""

    def __init__(self, answer_id: str, model: str, choices: int, *, is_call_forced: bool) -> None:
        self.choices, self.is_call_forced = choices, is_call_forced
        self.calls = [0] * choices
        """Calls of tools that were told already, of each choice."""
        self.head: Json = {
            "id": f"chatcmpl-{answer_id}",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, outcomes: Sequence[Outcome]) -> Json:
        found: list[JsonValue] = [self.choice(*numbered) for numbered in enumerate(outcomes)]
        tail: Json = {"choices": found, "usage": usage_of(outcomes, self.choices)}
        return self.head | {"object": "chat.completion"} | tail

    def choice(self, index: int, outcome: Outcome) -> Json:
        outcome = self.with_forced_call(outcome)
        calls: list[JsonValue] = [body_of_call(call) for call in outcome.tool_calls]
        message: Json = {"role": "assistant", "content": outcome.text}
        if outcome.reasoning:
            message["reasoning_content"] = outcome.reasoning
        if calls:
            message |= {"content": outcome.text or None, "tool_calls": calls}
        logprobs = None if outcome.logprobs is None else chat_logprobs(outcome.logprobs)
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": finish_word(outcome),
        }

    def with_forced_call(self, outcome: Outcome) -> Outcome:
        """A forced call comes as the JSON that it is; one that was cut stays a text."""
        if not self.is_call_forced:
            return outcome
        try:
            said = json.loads(outcome.text)
        except ValueError:
            return outcome
        arguments = json.dumps(said["arguments"], ensure_ascii=False)
        call = ToolCall(id=f"call_{uuid4().hex[:24]}", name=said["name"], arguments=arguments)
        return outcome.model_copy(update={"text": "", "tool_calls": [call]})

    def opening(self) -> Iterator[Json]:
        for index in range(self.choices):
            yield self.chunk(index, {"role": "assistant", "content": ""})

    def added(self, index: int, piece: Piece) -> Iterator[Json]:
        """A call comes as a whole; of a forced one nothing is told until it is all there."""
        if piece.kind == "logprobs":
            yield self.chunk(index, {}, logprobs=chat_logprobs(TOKENS.validate_json(piece.data)))
        elif piece.kind == "call":
            yield self.call_chunk(index, ToolCall.model_validate_json(piece.data))
        elif piece.kind == "reasoning":
            yield self.chunk(index, {"reasoning_content": piece.data})
        elif not self.is_call_forced:
            yield self.chunk(index, {"content": piece.data})

    def call_chunk(self, index: int, call: ToolCall) -> Json:
        delta: Json = {"tool_calls": [{"index": self.calls[index], **body_of_call(call)}]}
        self.calls[index] += 1
        return self.chunk(index, delta)

    def ended(self, index: int, outcome: Outcome) -> Iterator[Json]:
        if self.is_call_forced:
            outcome = self.with_forced_call(outcome)
            if outcome.text:
                yield self.chunk(index, {"content": outcome.text})
            for call in outcome.tool_calls:
                yield self.call_chunk(index, call)
        yield self.chunk(index, {}, finish_word(outcome))

    def chunk(
        self, index: int, delta: Json, finish: str | None = None, logprobs: Json | None = None
    ) -> Json:
        choice: Json = {
            "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish,
        }  # fmt: skip
        return self.head | {"object": "chat.completion.chunk", "choices": [choice]}

    def usage_chunk(self, outcomes: Sequence[Outcome]) -> Json:
        tail: Json = {"choices": [], "usage": usage_of(outcomes, self.choices)}
        return self.head | {"object": "chat.completion.chunk"} | tail


def body_of_call(call: ToolCall) -> Json:
    function: Json = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
