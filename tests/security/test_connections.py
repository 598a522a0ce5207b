"""Requests that never end, in their heads, their bodies or their answers; encryption."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import uvicorn

from jobs.management.commands.serve import require_encryption
from jobs.management.commands.up import programs
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.limits import connections
from maxft_site.web.limits.connections import HEAD_BYTES, limited_protocol
from tests.security.test_fork_server import until

MOST = 30
LARGE = b"x" * 4_000_000


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says how many bytes of a body there were; at /large, much."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = LARGE if scope["path"] == "/large" else f"{size}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """In a thread of this process."""

    def __init__(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app, http=limited_protocol(MOST), lifespan="off", log_level="critical"
        )
        super().__init__(config)
        self.port: int = listener.getsockname()[1]

    def has(self, client: socket.socket) -> bool:
        connections_now = list(self.server_state.connections)
        return any(each.client == client.getsockname() for each in connections_now)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(500)
        server = Server(listener)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        yield server
        server.should_exit = True
        thread.join()


@pytest.fixture
def port(server: Server) -> int:
    return server.port


def open_at(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n"


def ask(port: int, request: bytes = GET + LAST + b"\r\n") -> bytes:
    with open_at(port) as client:
        client.sendall(request)
        return rest_of(client)


def rest_of(client: socket.socket) -> bytes:
    """All until the server hangs up."""
    answer = b""
    try:
        while piece := client.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def sent_before_the_end(client: socket.socket, piece: bytes, most: int) -> int:
    """How much of an endless request is taken until the server hangs up."""
    sent = 0
    try:
        while sent < most:
            client.sendall(piece)
            sent += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        return sent
    return sent


HALVES = {
    "nothing at all": b"",
    "half a line": b"GET / HT",
    "half of the headers": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
    "no body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_sent_requests_take_no_place_from_others(port: int, half: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(5 * MOST):
            client = stack.enter_context(closing(open_at(port)))
            client.sendall(half)
        assert ask(port).startswith(b"HTTP/1.1 200")


ENDLESS = {
    "headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-Header: value\r\n" * 500),
    "one header": (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 10_000),
    "the address": (b"GET /", b"a" * 10_000),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"X-Header: value\r\n" * 500,
    ),
    "a chunk's extension": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=",
        b"a" * 10_000,
    ),
}


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_endless_heads_are_cut_off(port: int, begin: bytes, piece: bytes) -> None:
    with open_at(port) as client:
        client.sendall(begin)
        most = 400 * HEAD_BYTES
        assert sent_before_the_end(client, piece, most) < most
    assert ask(port).startswith(b"HTTP/1.1 200")


def test_a_head_that_is_too_long_is_said_so(port: int) -> None:
    with open_at(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"a" * (HEAD_BYTES + 1))
        assert rest_of(client).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_who_does_not_go_on_is_hung_up_on(
    port: int, half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    with open_at(port) as client:
        client.sendall(half)
        assert rest_of(client) == b""


def test_a_head_that_trickles_in_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with open_at(port) as client:
        client.settimeout(0.02)
        for byte in b"GET / HTTP/1.1\r\nX-A: " + b"a" * 10_000:
            try:
                client.sendall(bytes([byte]))
                assert client.recv(1) == b""
                return
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return
    raise AssertionError("it was waited for")


def test_who_takes_no_answer_is_hung_up_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: server.has(client))
        until(lambda: not server.has(client))
        assert len(rest_of(client)) < len(LARGE)


def test_ordinary_requests_are_served(port: int) -> None:
    """A large body, small chunks, several on one connection, an answer that is large."""
    body = b"y" * 3_000_000
    post = b"POST / HTTP/1.1\r\nHost: x\r\n" + LAST
    head = post + b"Content-Length: %d\r\n\r\n" % len(body)
    assert ask(port, head + body).endswith(b"\r\n\r\n3000000")
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    assert ask(port, chunked + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n").endswith(b"\r\n\r\n50000")
    many = (GET + b"\r\n") * 19 + GET + LAST + b"\r\n"
    assert ask(port, many).count(b"HTTP/1.1 200") == 20
    assert len(ask(port, b"GET /large HTTP/1.1\r\n" + LAST + b"\r\n")) > len(LARGE)
    with open_at(port) as client:
        for _ in range(3):
            client.sendall(GET + b"\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n0"):
                answer += client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "site.example"])
def test_other_machines_are_not_served_without_encryption(host: str, settings: Any) -> None:
    with pytest.raises(FineTuneError, match="as they are") as caught:
        require_encryption(host, plain_http=False)
    assert "MAXFT_HTTPS" in caught.value.hint
    require_encryption(host, plain_http=True)
    settings.SERVED_BY_HTTPS = True
    require_encryption(host, plain_http=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_is(host: str) -> None:
    require_encryption(host, plain_http=False)


def test_what_up_has_allowed_its_web_server_may() -> None:
    (web,) = (p.argv for p in programs("0.0.0.0", 8000, 1) if p.name == "web")
    assert "--plain-http" in web
