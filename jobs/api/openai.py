"""The chat API that OpenAI's clients speak: `/v1/models` and `/v1/chat/completions`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja.errors import AuthenticationError, HttpError
from ninja.security import HttpBearer
from pydantic import JsonValue, ValidationError

from jobs.api.openai_schema import ChatRequest, Reply, finish_word
from jobs.inference_queue import requests
from jobs.inference_queue.requests import Outcome, Piece
from jobs.models import LanguageModel
from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError
from maxaillm.model.sampling import SamplingOptions
from maxft_site.web.api import SiteAPI, members_only, user_by_key
from maxft_site.web.errors import status_of

Body = dict[str, JsonValue]
NO_KEY = "This call needs a key: send `Authorization: Bearer KEY`; the page Settings makes one."


class ClientBearer(HttpBearer):
    """`Authorization: Bearer KEY`: what OpenAI's clients call the API key."""

    async def authenticate(self, request: HttpRequest, token: str) -> User | None:
        return await sync_to_async(user_by_key)(request, token)


openai_api = SiteAPI(
    title="MaxFT, OpenAI-compatible",
    version="1",
    urls_namespace="openai",
    auth=ClientBearer(),
    docs_decorator=members_only,
)


class UnknownModelError(FineTuneError):
    """No model of that name, or somebody else's."""

    code = "model_not_found"
    status = 404


FAULTS_OF_THE_REQUEST = {
    "prompt_too_long": "context_length_exceeded",
    "prompt_refused": "invalid_prompt",
}
"""A worker's code -> OpenAI's, where another request would be answered."""


class AnswerFailedError(FineTuneError):
    """The worker could not answer."""

    def __init__(self, message: str, hint: str, code: str = "server_error") -> None:
        super().__init__(message, hint)
        self.code = FAULTS_OF_THE_REQUEST.get(code, code)
        self.status = 400 if code in FAULTS_OF_THE_REQUEST else 503


def failure_body(message: str, code: str | None, kind: str, param: str | None = None) -> Body:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def body_of(error: FineTuneError) -> Body:
    status = status_of(error)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if isinstance(error, ConfigError) and error.problems:
        problem = error.problems[0]
        message = f"{problem.path}: {problem.message}".removeprefix(": ")
        return failure_body(message, "invalid_value", kind, problem.path or None)
    kind = "rate_limit_error" if status == 429 else kind
    return failure_body(f"{error.message} {error.hint}".strip(), error.code, kind)


@openai_api.exception_handler(FineTuneError)
def show_failure(request: HttpRequest, error: FineTuneError) -> JsonResponse:
    status = 400 if isinstance(error, ConfigError) else status_of(error)
    headers = {"Retry-After": "2"} if status == 429 else None
    return JsonResponse(body_of(error), status=status, headers=headers)


@openai_api.exception_handler(AuthenticationError)
def show_no_key(request: HttpRequest, error: AuthenticationError) -> JsonResponse:
    body = failure_body(NO_KEY, "invalid_api_key", "invalid_request_error")
    return JsonResponse(body, status=401, headers={"WWW-Authenticate": "Bearer"})


@openai_api.exception_handler(HttpError)
def show_http_error(request: HttpRequest, error: HttpError) -> JsonResponse:
    body = failure_body(error.message, None, "invalid_request_error")
    return JsonResponse(body, status=error.status_code)


def model_body(model: LanguageModel) -> Body:
    owner = model.owner.get_username() if model.owner else "maxft"
    created = int(model.created.timestamp())
    return {"id": model.name, "object": "model", "created": created, "owned_by": owner}


@sync_to_async
def list_models(user: User) -> list[Body]:
    found = LanguageModel.objects.visible_to(user).select_related("owner").order_by("-created")
    return [model_body(model) for model in found]


@sync_to_async
def find_model(user: User, name: str) -> LanguageModel:
    """The user's own model of that name, else the common one. Raises UnknownModelError."""
    model = LanguageModel.objects.visible_to(user).select_related("owner").named(name)
    if model is None:
        raise UnknownModelError(f"There is no model {name!r}.", "GET /v1/models lists yours.")
    return model


@openai_api.get("/models", summary="The models that can answer")
async def models(request: HttpRequest) -> Body:
    return {"object": "list", "data": list(await list_models(user_of(request)))}


@openai_api.get("/models/{path:name}", summary="One model")
async def model(request: HttpRequest, name: str) -> Body:
    return model_body(await find_model(user_of(request), name))


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@openai_api.post("/chat/completions", summary="The next turn of a chat", response={200: dict})
async def chat_completions(request: HttpRequest, body: ChatRequest) -> HttpResponseBase:
    """Answers whole, or with `stream` in chunks. Whoever hangs up stops the answer."""
    chosen = await find_model(user_of(request), body.model)
    messages, tools = body.chat()
    ask = requests.Request(
        id=uuid4(),
        model=chosen.pk,
        messages=messages,
        tools=tools,
        options=sampling_of(body),
        is_split=True,
        may_cut=False,
    )
    reply = Reply(ask.id.hex, chosen.name)
    await sync_to_async(requests.submit)([ask], user_id=user_of(request).pk, source="api")
    if not body.stream:
        outcome = await whole_answer(ask.id)
        return JsonResponse(reply.whole(outcome))
    wants_usage = bool(body.stream_options and body.stream_options.include_usage)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    chunks = stream_answer(ask.id, reply, wants_usage=wants_usage)
    return StreamingHttpResponse(chunks, content_type="text/event-stream", headers=headers)


def sampling_of(body: ChatRequest) -> SamplingOptions:
    try:
        return body.sampling
    except ValidationError as error:
        raise ConfigError(problems_of(SamplingOptions, error)) from None


@asynccontextmanager
async def stopped_when_left(answer_id: UUID) -> AsyncIterator[AsyncIterator[Piece]]:
    """The pieces of an answer; leaving before its end, as when the client hangs up, stops it."""
    is_over = False

    async def pieces() -> AsyncGenerator[Piece, None]:
        nonlocal is_over
        async with aclosing(requests.follow(answer_id)) as found:
            async for piece in found:
                is_over = piece.kind == "end"
                yield piece

    try:
        async with aclosing(pieces()) as found:
            yield found
    finally:
        if not is_over:
            await sync_to_async(requests.cancel)(answer_id)


async def whole_answer(answer_id: UUID) -> Outcome:
    async with stopped_when_left(answer_id) as pieces:
        async for piece in pieces:
            if piece.kind in {"end", "lost"}:
                return outcome_of(piece)
    raise AnswerFailedError("The answer was lost.", "Ask again.")


def outcome_of(piece: Piece) -> Outcome:
    """How it ended. Raises AnswerFailedError with the worker's sentence."""
    if piece.kind == "lost":
        raise AnswerFailedError(piece.data, "Ask again.")
    outcome = Outcome.model_validate_json(piece.data)
    if outcome.error is not None:
        said = outcome.error
        raise AnswerFailedError(str(said["message"]), str(said["hint"]), str(said["code"]))
    return outcome


async def stream_answer(answer_id: UUID, reply: Reply, *, wants_usage: bool) -> AsyncIterator[str]:
    async with stopped_when_left(answer_id) as pieces:
        yield sse(reply.chunk({"role": "assistant", "content": ""}))
        async for piece in pieces:
            if piece.kind in {"text", "reasoning", "call"}:
                yield sse(reply.chunk(reply.delta(piece)))
            elif piece.kind in {"end", "lost"}:
                try:
                    outcome = outcome_of(piece)
                except AnswerFailedError as error:
                    yield sse(body_of(error))
                    return
                yield sse(reply.chunk({}, finish_word(outcome)))
                if wants_usage:
                    yield sse(reply.usage_chunk(outcome.usage))
                yield "data: [DONE]\n\n"
            else:
                yield ": nothing yet\n\n"


def sse(body: Body) -> str:
    return f"data: {json.dumps(body)}\n\n"
