"""A real server with a real inference worker on a tiny model, for tests of answers over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import redis

from jobs.inference_queue import requests
from maxaillm.dev.finetune.processes.fork_server import redirect_output
from tests.forked import Forked
from tests.redis_server import RedisServer, running_redis
from tests.site_process import PATIENCE_SECONDS, ROOT, free_port

SEED = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from jobs.models import LanguageModel
from maxft_site.web.models import ApiToken
alice, bob = (User.objects.create_user(name) for name in ("alice", "bob"))
LanguageModel.objects.create(name={model!r}, kind="base", size_bytes=1)
LanguageModel.objects.create(name="bobs", kind="full", owner=bob)
LanguageModel.objects.create(name="/gone", kind="base")
print(ApiToken.issue(alice, "tests"))
"""
MANAGE = [sys.executable, "manage.py"]


class ServedApi:
    """The chat API at `url`, with Alice's key; its worker can be killed and started again."""

    def __init__(self, folder: Path, model: Path, server: RedisServer) -> None:
        self.redis, self.model = server, str(model)
        self.log = (folder / "log.txt").open("w")
        self.env = os.environ | {"MAXFT_DATA_DIR": str(folder), "REDIS_URL": server.url}
        self.env["OMP_NUM_THREADS"] = "1"
        self.key = self.run("shell", "-v0", "-c", SEED.format(model=self.model)).split()[-1]
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "uvicorn", "maxft_site.asgi:application", "--port", port]
        self.web = self.start(command)
        self.start_worker()
        wait_until(lambda: answers(f"{self.url}/login/"))
        hello = [{"role": "user", "content": "Hello"}]
        self.client.chat.completions.create(model=self.model, messages=hello, max_tokens=1)

    def run(self, *arguments: str) -> str:
        command, options = [*MANAGE, *arguments], {"cwd": ROOT, "env": self.env}
        done = subprocess.run(command, check=True, capture_output=True, text=True, **options)
        return done.stdout

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=self.log, stderr=self.log)

    def start_worker(self) -> None:
        self.worker = Forked(infer, self.log.name, env=self.env)

    def stop(self) -> None:
        self.worker.process.terminate()
        self.worker.end()
        self.web.terminate()
        self.web.wait(PATIENCE_SECONDS)

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0)

    def is_busy(self) -> bool:
        with redis.Redis.from_url(self.redis.url) as client:
            return bool(client.hlen(requests.OWNERS))


def infer(log: str) -> None:
    """`maxft infer`, forked from a process with the libraries, as `up` does."""
    from django.core.management import execute_from_command_line

    os.chdir(ROOT)
    redirect_output(log)
    execute_from_command_line(["maxft", "infer", "--device", "cpu"])


@contextmanager
def served_api(folder: Path, model: Path) -> Iterator[ServedApi]:
    with running_redis() as server:
        served = ServedApi(folder, model, server)
        try:
            yield served
        finally:
            served.stop()


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code < 500
    except httpx.TransportError:
        return False
