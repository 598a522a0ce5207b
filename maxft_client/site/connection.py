"""Connection to a site: JSON in and out, tried again where that is safe, failures as sentences."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx2

from maxft_client.errors import ClientError, UnreachableError
from maxft_client.site.answers import refusal, require_json
from maxft_client.site.credentials import Credentials, current

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try."""
LONGEST_WAIT = 120.0
"""A site that asks for more seconds than these is told of instead."""
BUSY = {502, 503, 504}
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
SAFE = {"GET", "HEAD", "DELETE"}


class Site:
    """A site's API, opened with a key. Redirects are not followed: the key stays here."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.url, token = credentials or current()
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "maxft"}
        self.http = httpx2.Client(base_url=self.url, headers=headers, timeout=TIMEOUT)

    def get(self, path: str, **query: Any) -> Any:
        asked = {name: value for name, value in query.items() if value is not None}
        return require_json(self.send("GET", f"/api/v1{path}", params=asked), self.url)

    def post(self, path: str, body: object = None, *, is_repeatable: bool = False) -> Any:
        """`is_repeatable`: the site makes one thing of the same request twice (Idempotency-Key)."""
        headers = {"Idempotency-Key": uuid4().hex} if is_repeatable else {}
        answer = self.send(
            "POST", f"/api/v1{path}", json=body, headers=headers, is_repeatable=is_repeatable
        )
        return require_json(answer, self.url)

    def delete(self, path: str) -> None:
        self.send("DELETE", f"/api/v1{path}")

    def items(self, path: str, limit: int, **query: Any) -> dict[str, Any]:
        """Up to `limit` items of a list, in as many pages as that takes: `{items, total}`."""
        items: list[Any] = []
        while True:
            size = min(500, limit - len(items))
            page = self.get(path, limit=size, offset=len(items), **query)
            items += page["items"]
            if not page["items"] or len(items) >= min(limit, page["total"]):
                return {"items": items, "total": page["total"]}

    def send(
        self, method: str, path: str, *, is_repeatable: bool = False, **options: Any
    ) -> httpx2.Response:
        """The answer to a request. Raises ClientError for one that says no.

        Tried again: what did not reach the site, what it asks to be sent later (`Retry-After`),
        and where the request may come twice also what was cut off on the way.
        """
        may_repeat = is_repeatable or method in SAFE
        failure: ClientError
        for pause in (*PAUSES, None):
            try:
                answer = self.http.request(method, path, **options)
            except httpx2.TransportError as error:
                wait = pause if may_repeat or never_arrived(error) else None
                failure = unreachable(self.url, error)
            except (httpx2.InvalidURL, httpx2.DecodingError) as error:
                raise unreachable(self.url, error) from None
            else:
                if answer.is_success:
                    return answer
                failure, wait = refusal(answer, self.url), seconds_to_wait(answer, pause)
                if answer.status_code in BUSY and not may_repeat:
                    wait = None
            if pause is None or wait is None:
                raise failure
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Iterator[httpx2.Response]:
        """An answer whose body is read bit by bit. A cut raises UnreachableError."""
        try:
            with self.http.stream(method, path, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    raise refusal(answer, self.url)
                yield answer
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise unreachable(self.url, error) from None


def never_arrived(error: httpx2.TransportError) -> bool:
    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)


def unreachable(url: str, error: Exception) -> UnreachableError:
    said = str(error) or type(error).__name__
    hint = "See that the site runs and that its address is right: maxft whoami."
    return UnreachableError(f"{url} can't be reached: {said}.", hint)


def seconds_to_wait(answer: httpx2.Response, pause: float | None) -> float | None:
    """How long until it is asked again; None: not at all. A site that is full says no word of
    when: what is said then is for a person."""
    if answer.status_code not in {429, *BUSY}:
        return None
    asked = retry_after(answer.headers.get("Retry-After", ""))
    if asked is None:
        return pause if answer.status_code in BUSY else None
    return asked if asked <= LONGEST_WAIT else None


def retry_after(text: str) -> float | None:
    """Seconds, of a header that has these or a date."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def events_of(answer: httpx2.Response) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events, until `[DONE]`. A stream that ends
    before it raises UnreachableError."""
    for line in answer.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            found = json.loads(data)
        except ValueError:
            break
        yield found if isinstance(found, dict) else {}
    raise UnreachableError("The answer broke off before its end.", "Ask again.")
