"""A model on an address of this machine that OpenAI's clients can use, until it is stopped.

For one program on one machine: it answers one request after the other. Many users, adapters and
limits are what a site's deployments are for (`maxft deploy`).
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.llm import MaxHuggingFaceLLM
from maxaillm.model.loaded import Usage
from maxaillm.model.sampling import SamplingOptions

MOST_BYTES = 2 * 1024**2
Json = dict[str, Any]


class ChatBody(BaseModel):
    """What is understood of a request; anything else is refused by its name."""

    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Json] = Field(min_length=1)
    stream: bool = False
    temperature: float = 1
    top_p: float = 1
    max_tokens: int = Field(256, ge=1)
    seed: int | None = None
    stop: list[str] | str = []
    top_k: int | None = None
    frequency_penalty: float = 0
    presence_penalty: float = 0

    @property
    def sampling(self) -> SamplingOptions:
        given = self.model_dump(exclude={"model", "messages", "stream", "max_tokens"})
        given["stop"] = [self.stop] if isinstance(self.stop, str) else self.stop
        return SamplingOptions(max_new_tokens=self.max_tokens, **given)


class Deployment:
    """A model that is served. `base_url` and `key` are what a client needs; `name` is what it calls
    `model`. As a context manager it stops at the end."""

    def __init__(self, llm: MaxHuggingFaceLLM, name: str, port: int = 0) -> None:
        self.llm, self.name = llm, name
        self.key = f"mfd_{secrets.token_urlsafe(32)}"
        self.one_at_a_time = threading.Lock()
        handler = type("Bound", (Handler,), {"deployment": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def stop(self) -> None:
        """Answer nothing any more. Stopping twice is no mistake."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def wait(self) -> None:
        """Serve until another thread stops it."""
        self.thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class RefusedError(Exception):
    """A request that is not answered, in OpenAI's words."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        kind = "invalid_request_error"
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Handler(BaseHTTPRequestHandler):
    """`/v1/models` and `/v1/chat/completions`."""

    deployment: Deployment
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: requests hold what people say."""

    def do_GET(self) -> None:
        self.answer({"/v1/models": self.list_models})

    def do_POST(self) -> None:
        self.answer({"/v1/chat/completions": self.chat})

    def answer(self, calls: Mapping[str, Any]) -> None:
        try:
            self.require_key()
            if self.path not in calls:
                raise RefusedError(404, "not_found", f"There is nothing at {self.path}.")
            calls[self.path]()
        except RefusedError as refusal:
            self.send(refusal.status, refusal.body)

    def require_key(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.deployment.key.encode()):
            raise RefusedError(401, "invalid_api_key", "Send `Authorization: Bearer KEY`.")

    def list_models(self) -> None:
        model = {"id": self.deployment.name, "object": "model", "created": 0, "owned_by": "maxft"}
        self.send(200, {"object": "list", "data": [model]})

    def chat(self) -> None:
        body = self.read_body()
        if body.model != self.deployment.name:
            raise RefusedError(
                404, "model_not_found", f"The model here is {self.deployment.name!r}."
            )
        head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": body.model}
        with self.deployment.one_at_a_time:
            try:
                pieces = self.deployment.llm.stream(body.messages, sampling_of(body))
                first = next(pieces, "")  # what the prompt is refused for shows here
            except FineTuneError as error:
                raise RefusedError(400, error.code, f"{error.message} {error.hint}") from None
            said = Said(first, pieces)
            if body.stream:
                self.send_chunks(head | {"object": "chat.completion.chunk"}, said)
                return
            text = "".join(said)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        choice["finish_reason"] = said.finish
        usage = {"choices": [choice], "usage": said.usage}
        self.send(200, head | {"object": "chat.completion"} | usage)

    def read_body(self) -> ChatBody:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            raise RefusedError(413, "too_large", f"A request has at most {MOST_BYTES:,} bytes.")
        try:
            return ChatBody.model_validate_json(self.rfile.read(length))
        except ValidationError as error:
            raise refusal_of(error) from None

    def send(self, status: int, body: Json) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def send_chunks(self, head: Json, said: Said) -> None:
        """Server-sent events. Who hangs up ends the answer: closing its generator stops it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for text in said:
                self.send_chunk(head, {"content": text}, None)
            self.send_chunk(head, {}, said.finish)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            said.pieces.close()

    def send_chunk(self, head: Json, delta: Json, finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.wfile.write(f"data: {json.dumps(head | {'choices': [choice]})}\n\n".encode())
        self.wfile.flush()


class Said:
    """The pieces of an answer; when they are all there, why it ended and what it took."""

    def __init__(self, first: str, pieces: Any) -> None:
        self.first, self.pieces = first, pieces
        self.usage: Json = {}
        self.finish = "stop"

    def __iter__(self) -> Iterator[str]:
        yield self.first
        while True:
            try:
                yield next(self.pieces)
            except StopIteration as end:
                self.note(end.value)
                return

    def note(self, usage: Usage | None) -> None:
        if usage is None:
            return
        made = usage.prompt_tokens, usage.completion_tokens
        self.finish = usage.finish_reason
        self.usage = {
            "prompt_tokens": made[0], "completion_tokens": made[1], "total_tokens": sum(made),
        }  # fmt: skip


def sampling_of(body: ChatBody) -> SamplingOptions:
    try:
        return body.sampling
    except ValidationError as error:
        raise refusal_of(error) from None


def refusal_of(error: ValidationError) -> RefusedError:
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, first["loc"]))
    return RefusedError(
        400, "invalid_value", f"{path}: {first['msg']}".removeprefix(": "), path or None
    )
