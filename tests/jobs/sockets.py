"""A browser's side of a socket, over asgiref alone: Channels' own would need a second server."""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from maxft_site.asgi import application

OWN_PAGE = "http://localhost"
WAIT_SECONDS = 60


class Socket:
    """Signed in as `client` is."""

    def __init__(self, client: Client, path: str, origin: str = OWN_PAGE) -> None:
        headers = [(b"origin", origin.encode()), (b"host", b"localhost")]
        if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):
            headers.append((b"cookie", f"{cookie.key}={cookie.value}".encode()))
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self.app = ApplicationCommunicator(application, scope)

    async def connect(self) -> int | None:
        """None where the server lets us in, else the code it closes with."""
        await self.app.send_input({"type": "websocket.connect"})
        message = await self.app.receive_output(WAIT_SECONDS)
        return None if message["type"] == "websocket.accept" else int(message.get("code") or 1000)

    async def say(self, text: str) -> None:
        await self.app.send_input({"type": "websocket.receive", "text": text})

    async def hear_text(self) -> str:
        message = await self.app.receive_output(WAIT_SECONDS)
        assert message["type"] == "websocket.send", message
        return str(message["text"])

    async def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(await self.hear_text(), parse_constant=refuse)
        return heard

    async def events_until(self, seq: int) -> list[dict[str, Any]]:
        """All events up to `seq`; frames without any are news of the state."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["seq"] < seq:
            events += (await self.hear())["events"]
        return events

    async def is_silent(self, seconds: float) -> bool:
        return bool(await self.app.receive_nothing(timeout=seconds))

    async def closing_code(self) -> int:
        """Skips what is said until the server closes."""
        while True:
            message = await self.app.receive_output(WAIT_SECONDS)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def leave(self) -> None:
        await self.app.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.app.wait(WAIT_SECONDS)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
