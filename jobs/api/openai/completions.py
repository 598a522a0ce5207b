"""`/v1/completions`: texts or tokens that a model goes on with, no chat template between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, cast
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase
from pydantic import Field, JsonValue, TypeAdapter

from jobs.api.openai.answers import respond
from jobs.api.openai.bodies import AnswerBody, as_text, require_few
from jobs.api.openai.callers import caller_of, find_target
from jobs.api.openai.chat_body import MAX_CHARACTERS
from jobs.api.openai.errors import Json, refused
from jobs.api.openai.interface import openai_api
from jobs.api.openai.written import finish_word, text_logprobs, usage_of
from jobs.inference_queue.requests import Outcome, Piece, Request
from maxaillm.model.logprobs import TokenLogprob
from maxaillm.model.sampling import SamplingOptions

USUAL_TOKENS = 16
"""OpenAI's, where a request names no length."""
TOKENS = TypeAdapter(list[TokenLogprob])
Ids = list[Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]]
Prompt = str | Ids
Prompts = str | Ids | list[Annotated[str, Field(strict=True)]] | list[Ids]


def prompts_of(given: Prompts) -> list[Prompt]:
    """One prompt or several, each a text or tokens."""
    is_one = isinstance(given, str) or (bool(given) and isinstance(given[0], int))
    found = [given] if is_one else given
    return [as_text(prompt) for prompt in cast("list[Prompt]", found)]


class CompletionRequest(AnswerBody):
    """A request to go on with texts."""

    prompt: Prompts = Field(description="A text, tokens, or a list of either.")
    max_tokens: int | None = Field(None, ge=0, le=4096, description="16 where it is not given.")
    echo: bool = Field(False, description="The prompt comes before its continuation.")
    logprobs: int | None = Field(None, ge=0, le=20)
    best_of: Literal[1] | None = None

    def prompts(self) -> list[Prompt]:
        """Raises ConfigError for none, too many, an empty one, or one that is too long."""
        found = prompts_of(self.prompt)
        if not all(found) or not found:
            raise refused("prompt", "A prompt is empty: there is nothing to go on with.")
        if sum(map(len, found)) > MAX_CHARACTERS:
            raise refused("prompt", f"It has more than {MAX_CHARACTERS:,} characters or tokens.")
        require_few(len(found), self.choices)
        return found

    def options(self) -> list[SamplingOptions]:
        if self.max_tokens == 0 and not self.echo:
            raise refused("max_tokens", "Nothing would come: 0 needs `echo`.")
        if self.stream and self.echo and self.logprobs is not None:
            raise refused("stream", "Log probabilities of an echoed prompt come whole only.")
        length = USUAL_TOKENS if self.max_tokens is None else self.max_tokens
        return self.sampling(max_new_tokens=length, logprobs=self.logprobs)

    def asks(self, model: int) -> list[Request]:
        """A request for each choice of each prompt."""
        return [self.ask(model, p, options) for p in self.prompts() for options in self.options()]

    def ask(self, model: int, prompt: Prompt, options: SamplingOptions) -> Request:
        """The text of echoed tokens is known by their log probabilities alone."""
        needs_text = self.echo and not isinstance(prompt, str)
        if needs_text and options.logprobs is None:
            options = options.model_copy(update={"logprobs": 0})
        echo = self.echo and options.logprobs is not None
        return Request(id=uuid4(), model=model, prompt=prompt, echo=echo, options=options)


@openai_api.post("/completions", summary="How texts go on", response={200: dict})
async def completions(request: HttpRequest, body: CompletionRequest) -> HttpResponseBase:
    """Answers whole, or with `stream` in chunks. Whoever hangs up stops the answers."""
    target = await find_target(caller_of(request), body.model)
    asked = body.asks(target.model.pk)
    reply = TextReply(asked, target.name, body)
    streams = (body.stream, body.wants_usage)
    return await respond(asked, target, "completions", reply, streams)


class TextReply:
    """Writes continuations, whole or in chunks."""

    def __init__(self, asked: Sequence[Request], model: str, body: CompletionRequest) -> None:
        self.asked, self.body = asked, body
        self.head: Json = {
            "id": f"cmpl-{asked[0].id.hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, outcomes: Sequence[Outcome]) -> Json:
        found: list[JsonValue] = [self.choice(*numbered) for numbered in enumerate(outcomes)]
        return self.head | {"choices": found, "usage": usage_of(outcomes, self.body.choices)}

    def choice(self, index: int, outcome: Outcome) -> Json:
        before = self.echoed(index, outcome)
        logprobs = None
        if self.body.logprobs is not None:
            echoed = (outcome.prompt_logprobs or []) if self.body.echo else []
            logprobs = text_logprobs([*echoed, *(outcome.logprobs or [])])
        return {
            "index": index,
            "text": before + outcome.text,
            "logprobs": logprobs,
            "finish_reason": finish_word(outcome),
        }

    def echoed(self, index: int, outcome: Outcome | None = None) -> str:
        """The prompt, where it is wanted; of tokens their text."""
        prompt = self.asked[index].prompt
        if not self.body.echo:
            return ""
        if isinstance(prompt, str):
            return prompt
        tokens = (outcome.prompt_logprobs or []) if outcome else []
        return b"".join(bytes(token.bytes) for token in tokens).decode(errors="replace")

    def opening(self) -> Iterator[Json]:
        for index in range(len(self.asked)):
            if before := self.echoed(index):
                yield self.chunk(index, before)

    def added(self, index: int, piece: Piece) -> Iterator[Json]:
        if piece.kind == "text":
            yield self.chunk(index, piece.data)
        elif piece.kind == "logprobs" and self.body.logprobs is not None:
            yield self.chunk(index, "", logprobs=text_logprobs(TOKENS.validate_json(piece.data)))

    def ended(self, index: int, outcome: Outcome) -> Iterator[Json]:
        yield self.chunk(index, "", finish_word(outcome))

    def chunk(
        self, index: int, text: str, finish: str | None = None, logprobs: Json | None = None
    ) -> Json:
        choice: Json = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}
        return self.head | {"choices": [choice]}

    def usage_chunk(self, outcomes: Sequence[Outcome]) -> Json:
        return self.head | {"choices": [], "usage": usage_of(outcomes, self.body.choices)}
