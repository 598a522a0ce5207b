"""Answers of a site that say no, or are no answer of a site at all, as errors with a next step."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from maxft_client.errors import (
    ClientError,
    ConfigurationError,
    KeyRefusedError,
    NotThereError,
    UnreachableError,
)
from maxft_client.site.credentials import SIGN_IN

KINDS: dict[int, type[ClientError]] = {
    401: KeyRefusedError,
    403: KeyRefusedError,
    404: NotThereError,
    422: ConfigurationError,
    429: UnreachableError,
}
HINTS = {401: SIGN_IN, 429: "Wait a while, then try again."}
NOT_A_SITE = "See that this is the address of a MaxFT site, and not that of a proxy before it."


def require_json(answer: httpx2.Response, url: str) -> dict[str, Any]:
    """The object that an answer holds. Raises UnreachableError where it holds none."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        kind = answer.headers.get("content-type", "").partition(";")[0] or "nothing"
        raise UnreachableError(f"{url} answered with {kind} where JSON was expected.", NOT_A_SITE)
    return found


def refusal(answer: httpx2.Response, url: str) -> ClientError:
    """What an answer that says no comes to."""
    status = answer.status_code
    if 300 <= status < 400:
        to = answer.headers.get("location", "elsewhere")
        hint = "Sign in with the address that it leads to: maxft login URL."
        return UnreachableError(f"{url} sends on to {to}; the key is not sent along.", hint)
    kind = KINDS.get(status, UnreachableError if status >= 500 else ClientError)
    said = said_in(answer)
    if problems := said.get("errors"):
        return kind("\n".join(map(problem_line, problems)), "Correct these and start again.")
    error = said.get("error")
    if not isinstance(error, dict) or "message" not in error:
        asked = f"{answer.request.method} {answer.request.url.path}"
        hint = HINTS.get(status, NOT_A_SITE if status != 429 else "")
        return kind(f"{url} answered {status} to {asked}.", hint)
    hint = SIGN_IN if status == 401 else str(error.get("hint") or HINTS.get(status, ""))
    return kind(str(error["message"]), hint, code=str(error.get("code") or ""))


def said_in(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (ValueError, httpx2.HTTPError):
        return {}
    return found if isinstance(found, dict) else {}


def problem_line(problem: object) -> str:
    """One mistake of a configuration: where, what, what is allowed."""
    if not isinstance(problem, dict):
        return json.dumps(problem)
    allowed = f" Allowed: {problem['allowed']}." if problem.get("allowed") else ""
    return f"{problem.get('path') or 'configuration'}: {problem.get('message', '')}{allowed}"
