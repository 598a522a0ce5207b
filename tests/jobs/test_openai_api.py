"""The chat API under OpenAI's own client, against a real server and a real worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import openai
import pytest
import redis

from jobs import generation
from tests.redis_server import RedisServer, running_redis
from tests.site_process import ROOT, free_port

SEED = """
from django.contrib.auth.models import User
from jobs.models import LanguageModel
from maxft_site.web.models import ApiToken
alice, bob = (User.objects.create_user(name) for name in ("alice", "bob"))
LanguageModel.objects.create(name={folder!r}, kind="base", size_bytes=1)
LanguageModel.objects.create(name="bobs", kind="full", owner=bob)
LanguageModel.objects.create(name="/gone", kind="base")
print(ApiToken.issue(alice, "tests"))
"""
HELLO = [{"role": "user", "content": "Hello"}]


class Served(NamedTuple):
    url: str
    key: str
    model: str
    redis: RedisServer

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0)

    def running(self) -> int:
        with redis.Redis.from_url(self.redis.url) as client:
            return int(client.hlen(generation.OWNERS))


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("site")
    port = free_port()
    with running_redis() as server:
        env = os.environ | {"MAXFT_DATA_DIR": str(folder), "REDIS_URL": server.url}
        env["OMP_NUM_THREADS"] = "1"
        manage = [sys.executable, "manage.py"]
        options = {"cwd": ROOT, "env": env}
        subprocess.run([*manage, "migrate", "-v0"], check=True, **options)
        code = SEED.format(folder=str(llama_folder))
        done = subprocess.run(
            [*manage, "shell", "-v0", "-c", code],
            check=True, capture_output=True, text=True, **options,
        )  # fmt: skip
        web = ["-m", "uvicorn", "maxft_site.asgi:application", "--port", str(port)]
        log = (folder / "log.txt").open("w")
        processes = [
            subprocess.Popen(command, stdout=log, stderr=log, **options)
            for command in ([*manage, "infer", "--device", "cpu"], [sys.executable, *web])
        ]
        made = Served(
            f"http://127.0.0.1:{port}", done.stdout.split()[-1], str(llama_folder), server
        )
        try:
            wait_until(lambda: answers(f"{made.url}/login/"))
            made.client.chat.completions.create(model=made.model, messages=HELLO, max_tokens=1)
            yield made
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code < 500
    except httpx.TransportError:
        return False


def test_models_are_listed(served):
    names = [model.id for model in served.client.models.list()]
    assert served.model in names
    assert "bobs" not in names
    assert served.client.models.retrieve(served.model).object == "model"


def test_an_answer_whole_and_in_chunks_is_the_same(served):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 20, "seed": 4, "temperature": 2}
    whole = served.client.chat.completions.create(**ask)
    chunks = list(
        served.client.chat.completions.create(
            **ask, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content != ""
    assert chunks[-1].usage == whole.usage
    assert whole.usage.completion_tokens <= 20
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"model": "nope"}, openai.NotFoundError, "model_not_found"),
        ({"model": "bobs"}, openai.NotFoundError, "model_not_found"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_value"),
        ({"max_tokens": 10**9}, openai.BadRequestError, "invalid_value"),
        ({"n": 2}, openai.BadRequestError, "invalid_value"),
        ({"stop": list("abcde")}, openai.BadRequestError, "invalid_value"),
        ({"logprobs": True}, openai.BadRequestError, "invalid_value"),
        (
            {"messages": [{"role": "user", "content": "word " * 900}]},
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        ({"model": "/gone"}, openai.InternalServerError, "model"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_errors_have_their_shape(served, change, error, code):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 4} | change
    with pytest.raises(error) as caught:
        served.client.chat.completions.create(**ask)
    assert caught.value.body["code"] == code
    assert caught.value.body["message"]
    with pytest.raises(openai.APIError):
        list(served.client.chat.completions.create(**ask, stream=True))


def test_a_key_is_needed(served):
    for key in ("wrong", "mft_0"):
        with pytest.raises(openai.AuthenticationError):
            served.client.with_options(api_key=key).models.list()
    assert httpx.get(f"{served.url}/v1/models").status_code == 401
    assert httpx.get(f"{served.url}/v1/models?key={served.key}").status_code == 401


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_stops_the_answer(served, stream):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 450, "temperature": 2}
    body = ask | {"stream": stream, "top_p": 1}
    headers = {"Authorization": f"Bearer {served.key}"}
    url = f"{served.url}/v1/chat/completions"
    if stream:
        with httpx.stream("POST", url, json=body, headers=headers) as response:
            next(response.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, headers=headers, timeout=0.3)
    wait_until(lambda: not served.running(), 10)


def test_one_answer_at_a_time(served):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 450, "temperature": 2}
    with ThreadPoolExecutor() as pool:
        tries = [pool.submit(served.client.chat.completions.create, **ask) for _ in range(4)]
    errors = [done.exception() for done in tries if done.exception()]
    assert len(errors) < 4
    assert all(isinstance(error, openai.RateLimitError) for error in errors)
    assert served.client.with_options(max_retries=3).chat.completions.create(**ask)
