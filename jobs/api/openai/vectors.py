"""`/v1/embeddings` and `/v1/classify`: what encoders say of texts."""

from __future__ import annotations

import base64
import struct
import time
from typing import Literal
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from pydantic import Field, JsonValue

from jobs.api.openai.answers import outcomes_of
from jobs.api.openai.bodies import Body
from jobs.api.openai.callers import Target, caller_of, find_target
from jobs.api.openai.chat_body import MAX_CHARACTERS
from jobs.api.openai.completions import Prompt, Prompts, prompts_of
from jobs.api.openai.errors import Json, refused
from jobs.api.openai.interface import openai_api
from jobs.api.openai.visits import counted
from jobs.inference_queue.protocol import MOST_TEXTS
from jobs.inference_queue.requests import Outcome, Request


class TextsRequest(Body):
    """Texts that an encoder reads."""

    model: str = Field(max_length=500, description="The name of a deployment or a model.")
    input: Prompts = Field(description=f"A text, tokens, or up to {MOST_TEXTS:,} of either.")
    user: str | None = Field(None, description="Noted nowhere.")

    def texts(self) -> list[Prompt]:
        """Raises ConfigError."""
        found = prompts_of(self.input)
        if not all(found) or not found:
            raise refused("input", "A text is empty.")
        if len(found) > MOST_TEXTS or sum(map(len, found)) > MAX_CHARACTERS:
            most = f"{MOST_TEXTS:,} texts and {MAX_CHARACTERS:,} characters"
            raise refused("input", f"One request takes at most {most}.")
        return found


class EmbeddingRequest(TextsRequest):
    encoding_format: Literal["float", "base64"] = "float"


@openai_api.post("/embeddings", summary="Texts as vectors of length 1", response={200: dict})
async def embeddings(request: HttpRequest, body: EmbeddingRequest) -> Json:
    target = await find_target(caller_of(request), body.model)
    outcome = await said_of(body.texts(), target, "embedding", "embeddings")
    data: list[JsonValue] = [
        {"object": "embedding", "index": index, "embedding": written(vector, body.encoding_format)}
        for index, vector in enumerate(outcome.embedding or [])
    ]
    return {"object": "list", "data": data, "model": target.name, "usage": usage_of(outcome)}


@openai_api.post("/classify", summary="What a classifier says of texts", response={200: dict})
async def classify(request: HttpRequest, body: TextsRequest) -> Json:
    """The shape is vLLM's: each text's label, beside all that the model says of it."""
    target = await find_target(caller_of(request), body.model)
    outcome = await said_of(body.texts(), target, "judgement", "classify")
    data: list[JsonValue] = [
        {"index": index, "label": likeliest(said), **said}
        for index, said in enumerate(outcome.judgements or [])
    ]
    return {
        "id": f"classify-{uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": target.name,
        "data": data,
        "usage": usage_of(outcome),
    }


async def said_of(
    texts: list[Prompt], target: Target, want: Literal["embedding", "judgement"], call: str
) -> Outcome:
    await sync_to_async(require_reader)(target)
    ask = Request(id=uuid4(), model=target.model.pk, want=want, texts=texts)
    async with counted(target, call) as visit:
        [outcome] = await outcomes_of([ask], target, visit)
    return outcome


def require_reader(target: Target) -> None:
    """Raises ConfigError for a model that writes; of one on the Hub the worker will tell."""
    card = target.model.card
    if card is not None and card.writes:
        message = "This model writes text: choose an encoder, such as a classifier."
        raise refused("model", message)


def written(vector: list[float], encoding: str) -> JsonValue:
    """Numbers, or their 32-bit little-endian bytes, which OpenAI's client asks for."""
    if encoding == "float":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def likeliest(said: dict[str, JsonValue]) -> JsonValue:
    """The first of the labels, which are sorted; None for a score."""
    labels = said.get("labels")
    first = labels[0] if isinstance(labels, list) and labels else None
    return first.get("label") if isinstance(first, dict) else None


def usage_of(outcome: Outcome) -> Json:
    tokens = outcome.usage.prompt_tokens
    return {"prompt_tokens": tokens, "total_tokens": tokens}
