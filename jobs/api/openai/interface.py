"""The API object: who may call, and how every failure reads in OpenAI's shape."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from ninja.errors import AuthenticationError, HttpError

from jobs.api.openai.callers import ClientBearer
from jobs.api.openai.errors import NO_KEY, body_of, failure_body
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError
from maxft_site.web.api import SiteAPI, members_only
from maxft_site.web.errors import status_of

BUSY_SECONDS = 2
"""What a full queue asks to wait, where the limit itself says no time."""
openai_api = SiteAPI(
    title="MaxFT, OpenAI-compatible",
    version="1",
    urls_namespace="openai",
    auth=ClientBearer(),
    docs_decorator=members_only,
)


@openai_api.exception_handler(FineTuneError)
def show_failure(request: HttpRequest, error: FineTuneError) -> JsonResponse:
    status = 400 if isinstance(error, ConfigError) else status_of(error)
    seconds = getattr(error, "retry_after", BUSY_SECONDS)
    headers = {"Retry-After": str(seconds)} if status == 429 else None
    return JsonResponse(body_of(error), status=status, headers=headers)


@openai_api.exception_handler(AuthenticationError)
def show_no_key(request: HttpRequest, error: AuthenticationError) -> JsonResponse:
    body = failure_body(NO_KEY, "invalid_api_key", "invalid_request_error")
    return JsonResponse(body, status=401, headers={"WWW-Authenticate": "Bearer"})


@openai_api.exception_handler(HttpError)
def show_http_error(request: HttpRequest, error: HttpError) -> JsonResponse:
    body = failure_body(error.message, None, "invalid_request_error")
    return JsonResponse(body, status=error.status_code)
