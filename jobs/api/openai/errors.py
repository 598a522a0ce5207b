"""Failures in OpenAI's shape."""

from __future__ import annotations

from pydantic import JsonValue

from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem
from maxft_site.web.errors import status_of

Json = dict[str, JsonValue]
NO_KEY = (
    "This call needs a key: send `Authorization: Bearer KEY`. The page of a deployment makes one "
    "for it, the page Settings one of your own."
)
FAULTS_OF_THE_REQUEST = {
    "prompt_too_long": "context_length_exceeded",
    "prompt_refused": "invalid_prompt",
    "data": "invalid_prompt",
    "not_supported": "unsupported_value",
    "schema_refused": "invalid_json_schema",
}
"""A worker's code -> OpenAI's, where another request would be answered."""


class UnknownModelError(FineTuneError):
    """No model of that name, or somebody else's."""

    code = "model_not_found"
    status = 404


class AnswerFailedError(FineTuneError):
    """The worker could not answer."""

    def __init__(self, message: str, hint: str, code: str = "server_error") -> None:
        super().__init__(message, hint)
        self.code = FAULTS_OF_THE_REQUEST.get(code, code)
        self.status = 400 if code in FAULTS_OF_THE_REQUEST else 503


def refused(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, message, None, "")])


def failure_body(message: str, code: str | None, kind: str, param: str | None = None) -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def body_of(error: FineTuneError) -> Json:
    status = status_of(error)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if isinstance(error, ConfigError) and error.problems:
        problem = error.problems[0]
        message = f"{problem.path}: {problem.message}".removeprefix(": ")
        return failure_body(message, "invalid_value", kind, problem.path or None)
    kind = "rate_limit_error" if status == 429 else kind
    return failure_body(f"{error.message} {error.hint}".strip(), error.code, kind)
