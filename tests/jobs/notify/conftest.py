"""A receiver of webhooks, and a run that has finished."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import NotificationChannel
from jobs.services import notifications

Kind = NotificationChannel.Kind


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; `answer` is what it does with a request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.reply(200)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.server.answer(self)

    def reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def webhook(alice: User, receiver: Receiver, settings: Any) -> NotificationChannel:
    settings.PRIVATE_WEBHOOKS = True
    return notifications.add_channel(owner=alice, kind=Kind.WEBHOOK, target=receiver.url)
