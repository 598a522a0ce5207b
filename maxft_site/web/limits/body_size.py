"""Requests with too large a body end before Django spools them to disk."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib import import_module
from io import BytesIO
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest

Message = Mapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

UPLOADS = ("/api/v1/datasets", "/datasets/new/", "/datasets/uploads/")
"""Where files arrive. Only members may send more than a form's worth there."""
MOST_DIGITS = 19
HINT = "Send less at once; files go to Datasets."


class BodyLimit:
    """Wraps the pages: 413 at the cap, whatever Content-Length claims or leaves out."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = settings.MAX_BODY_BYTES
        declared = declared_length(scope)
        is_small = declared is not None and declared <= limit
        brings_file = not is_small and scope["path"].startswith(UPLOADS)
        if brings_file and await database_sync_to_async(is_member)(scope):
            limit = settings.MAX_UPLOAD_BYTES
        if declared is not None and declared > limit:
            await refuse(send, limit)
            return
        await self.app(dict(scope), counting(receive, send, limit), send)


def counting(receive: Receive, send: Send, limit: int) -> Receive:
    """`receive` that answers 413 itself and hangs up on the application beyond `limit` bytes."""
    total = 0

    async def next_message() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total <= limit:
            return message
        await refuse(send, limit)
        return {"type": "http.disconnect"}

    return next_message


def declared_length(scope: Scope) -> int | None:
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    value = headers.get(b"content-length", b"0")
    return int(value) if value.isdigit() and len(value) < MOST_DIGITS else None


def is_member(scope: Scope) -> bool:
    """Whether the request's key or session belongs to somebody; asked before the body is read."""
    from maxft_site.web.api import user_of

    request = ASGIRequest(scope, BytesIO())
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    request.user = get_user(request)
    return user_of(request) is not None


async def refuse(send: Send, limit: int) -> None:
    message = f"The request is larger than {limit:,} bytes."
    body = {"error": {"code": "too_large", "message": message, "hint": HINT}}
    # Without the close, the server would read and drop the rest of the body.
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
