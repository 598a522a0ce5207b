"""Limits on connections: bytes and time of a request's head, clients that stand still, how many.

uvicorn has no limit for any of these with httptools, and `limit_concurrency` turns everybody away
once half-sent requests hold the places. Here, whoever keeps the server waiting longest loses the
place to whoever comes next.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Of a request line with all headers, or of what stands between two pieces of a body."""
HEAD_SECONDS = 10.0
"""From the first byte, or the connection, to the end of the headers."""
IDLE_SECONDS = 60.0
"""Without a byte of a body that is being sent, or taken of an answer."""
MOST = 1_000
"""Connections of one process, at most as many as the system lets it have files open, less some."""
OTHER_FILES = 200
"""Database, Redis, logs, files on their way."""
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """One connection; `most` of them wait for their clients at the same time."""

    most: ClassVar[int] = MOST
    waiting: ClassVar[dict[LimitedProtocol, None]] = {}
    """Those that wait for their client, the one that has waited longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.clock: asyncio.TimerHandle | None = None
        self.unfinished = 0
        """Bytes since the last whole head or piece of a body."""
        self.wait_for_client(HEAD_SECONDS)
        while len(self.connections) > self.most and self.waiting:
            next(iter(self.waiting)).give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.unfinished += len(data)
        super().data_received(data)
        if self.unfinished > HEAD_BYTES and not self.transport.is_closing():
            self.stop_waiting()
            self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.wait_for_client(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self.unfinished = 0
        self.wait_for_client(IDLE_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unfinished = 0
        self.wait_for_client(IDLE_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.unfinished = 0
        self.stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self.waiting[self] = None  # for its next request; uvicorn has a clock for that

    def handle_websocket_upgrade(self) -> None:
        self.stop_waiting()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.wait_for_client(IDLE_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stop_waiting()

    def wait_for_client(self, seconds: float) -> None:
        """It is the client's turn, for so long at most."""
        self.stop_waiting()
        self.waiting[self] = None
        self.clock = self.loop.call_later(seconds, self.time_is_over)

    def time_is_over(self) -> None:
        if self.flow.read_paused:  # it is not the client that stands still
            self.wait_for_client(IDLE_SECONDS)
        else:
            self.give_up()

    def stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None

    def give_up(self) -> None:
        """Hang up on the client, whatever it was still to get."""
        self.stop_waiting()
        self.connections.discard(self)
        self.transport.abort()


def limited_protocol(most: int = MOST) -> type[LimitedProtocol]:
    """The protocol for `uvicorn.run(http=…)`, with as many files as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    LimitedProtocol.most = max(10, min(most, soft - OTHER_FILES))
    return LimitedProtocol


def options() -> dict[str, Any]:
    """What `uvicorn.run` is told of limits."""
    return {"http": limited_protocol(), "timeout_keep_alive": 5, "ws_max_size": 2 * HEAD_BYTES}
