"""Sender of notices by a worker; webhooks within a few seconds whatever the other side does."""

from __future__ import annotations

import asyncio

import httpcore

from jobs.models import Notice, NotificationChannel
from jobs.notify import chat_services, email
from jobs.notify.public_address import PrivateAddressError, PublicBackend
from jobs.notify.webhook import body_of, headers
from jobs.services import notifications

Kind = NotificationChannel.Kind

LIMIT_SECONDS = 5.0
"""For all of a try: looking the name up, connecting, the answer's first line and headers."""
NETWORK_ERRORS = (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


def deliver(pk: int) -> None:
    """Try to send a notice, and note what came of it."""
    notice = notifications.begin(pk)
    if notice is not None:
        notifications.end(notice, error=send(notice))


def send(notice: Notice) -> str:
    """What went wrong, in a sentence; empty where it arrived."""
    if notice.channel.kind == Kind.EMAIL:
        return email.send(notice)
    if notice.channel.kind == Kind.APPRISE:
        return chat_services.send(notice)
    return send_to_webhook(notice)


def send_to_webhook(notice: Notice) -> str:
    body = body_of(notice)
    request = post(notice.channel.target, headers(notice, body), body)
    try:
        status = asyncio.run(asyncio.wait_for(request, LIMIT_SECONDS))
    except PrivateAddressError as error:
        return f"{error.message} {error.hint}"
    except TimeoutError:
        return f"No answer within {LIMIT_SECONDS:g} seconds."
    except NETWORK_ERRORS as error:
        return f"It could not be reached: {error or type(error).__name__}."
    if 200 <= status < 300:
        return ""
    moved = " Redirects are not followed: give the address that it leads to." * (status // 100 == 3)
    return f"It answered {status}.{moved}"


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """The status of the answer; its text is not read."""
    async with (
        httpcore.AsyncConnectionPool(network_backend=PublicBackend()) as pool,
        pool.stream("POST", url, headers=[*headers.items()], content=body) as answer,
    ):
        return int(answer.status)
