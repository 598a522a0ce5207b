"""Deployments under OpenAI's own client: their keys see one model, within its limits."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.served_api import ServedApi

HELLO = [{"role": "user", "content": "Hello"}]
ASK: dict[str, Any] = {"messages": HELLO, "max_tokens": 4, "temperature": 0}


class Deployed:
    """A deployment of the server, with a key."""

    def __init__(self, served: ServedApi, name: str, **options: Any) -> None:
        self.name, self.served = name, served
        self.api = httpx.Client(
            headers={"Authorization": f"Bearer {served.key}"},
            timeout=60,
        )
        body = {"model": served.model, "name": name} | options
        self.facts = self.call("POST", "", json=body)
        self.key = self.call("POST", f"/{self.facts['id']}/keys", json={"name": "tests"})["key"]

    def call(self, method: str, path: str, **options: Any) -> Any:
        url = f"{self.served.url}/api/v1/deployments{path}"
        answer = self.api.request(method, url, **options).raise_for_status()
        return answer.json() if answer.content else None

    def act(self, verb: str) -> Any:
        return self.call("POST", f"/{self.facts['id']}/{verb}")

    @property
    def today(self) -> dict[str, Any]:
        return dict(self.call("GET", f"/{self.facts['id']}/usage?days=1")["days"][0])

    @property
    def client(self) -> openai.OpenAI:
        url = self.facts["base_url"]
        return openai.OpenAI(base_url=url, api_key=self.key, max_retries=0)

    def ask(self, **options: Any) -> Any:
        return self.client.chat.completions.create(model=self.name, **ASK | options)


@pytest.fixture(scope="module")
def support(served: ServedApi) -> Iterator[Deployed]:
    yield Deployed(served, "support")


def test_a_key_sees_its_deployment_and_nothing_else(support, served):
    assert [model.id for model in support.client.models.list()] == ["support"]
    assert support.ask().model == "support"
    for name in (served.model, "other"):
        with pytest.raises(openai.NotFoundError):
            support.client.chat.completions.create(model=name, **ASK)
    with pytest.raises(openai.AuthenticationError):
        support.client.with_options(api_key=support.key[:-1] + "?").models.list()
    own = served.client.chat.completions.create(model="support", **ASK)
    assert own.choices[0].message.content == support.ask().choices[0].message.content


def test_sixty_four_at_once_are_all_answered_and_counted(support):
    before = support.today
    with ThreadPoolExecutor(64) as pool:
        tries = [pool.submit(support.ask) for _ in range(64)]
    assert len({done.result().choices[0].message.content for done in tries}) == 1
    after = support.today
    assert after["requests"] - before["requests"] == 64
    assert after["completion_tokens"] - before["completion_tokens"] <= 64 * 4
    assert after["errors"] == before["errors"]
    assert after["whole_p95"] >= after["first_token_p50"] > 0


def test_the_asynchronous_client_streams(support):
    async def words() -> str:
        url = support.facts["base_url"]
        async with openai.AsyncOpenAI(base_url=url, api_key=support.key) as client:
            stream = await client.chat.completions.create(model="support", stream=True, **ASK)
            return "".join([part.choices[0].delta.content or "" async for part in stream])

    assert asyncio.run(words()) == support.ask().choices[0].message.content


def test_several_choices_have_seeds_of_their_own(support):
    options = {"temperature": 2, "seed": 5, "max_tokens": 12}
    one, several, again = (support.ask(n=n, **options) for n in (1, 3, 3))
    texts = [choice.message.content for choice in several.choices]
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert texts[0] == one.choices[0].message.content
    assert len(set(texts)) > 1
    assert texts == [choice.message.content for choice in again.choices]
    assert several.usage.prompt_tokens == one.usage.prompt_tokens
    parts = list(support.ask(n=3, stream=True, stream_options={"include_usage": True}, **options))
    streamed = ["", "", ""]
    for part in parts:
        for choice in part.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts
    assert parts[-1].usage == several.usage


@pytest.mark.parametrize(
    ("options", "code"),
    [({"requests_per_minute": 2}, "rate_limit_exceeded"), ({"tokens_per_minute": 1}, None)],
    ids=str,
)
def test_limits_say_when_to_come_again(served, options, code):
    name = next(iter(options)).replace("_", "-")
    deployed = Deployed(served, name, **options)
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(deployed.ask())
        except openai.RateLimitError as error:
            outcomes.append(error)
    refused = [error for error in outcomes if isinstance(error, openai.RateLimitError)]
    assert len(refused) == (2 if code else 3)
    assert refused[0].body["type"] == "rate_limit_error"
    assert refused[0].body["code"] == "rate_limit_exceeded"
    assert 0 < int(refused[0].response.headers["Retry-After"]) <= 3600
    assert deployed.today["refused"] == len(refused)


def test_a_stopped_one_says_so_until_it_is_started(served):
    deployed = Deployed(served, "resting")
    deployed.act("stop")
    for stream in (True, False):
        with pytest.raises(openai.APIStatusError) as caught:
            deployed.ask(stream=stream)
        assert (caught.value.status_code, caught.value.body["code"]) == (410, "deployment_stopped")
    assert deployed.client.models.retrieve("resting")
    deployed.act("start")
    assert deployed.ask().choices
    deployed.call("DELETE", f"/{deployed.facts['id']}")
    with pytest.raises(openai.AuthenticationError):
        deployed.ask()


def test_one_whose_model_was_deleted_says_so(served):
    deployed = Deployed(served, "orphan")
    gone = "from jobs.models import *; Deployment.objects.filter(name='orphan').update(model=None)"
    served.run("shell", "-v0", "-c", gone)
    with pytest.raises(openai.APIStatusError) as caught:
        deployed.ask()
    assert (caught.value.status_code, caught.value.body["code"]) == (410, "model_deleted")
    assert "deleted" in caught.value.body["message"]


def test_hanging_up_frees_the_place_and_counts(served):
    deployed = Deployed(served, "one-at-a-time", concurrent=1)
    body = {"model": deployed.name} | ASK | {"max_tokens": 450}
    headers = {"Authorization": f"Bearer {deployed.key}"}
    url = f"{served.url}/v1/chat/completions"
    os.kill(
        served.worker.process.pid, signal.SIGSTOP
    )  # so that the first answer does not end meanwhile
    try:
        with httpx.stream("POST", url, json=body | {"stream": True}, headers=headers) as response:
            lines = response.iter_lines()  # kept: it hangs up when it goes
            assert "chunk" in next(lines)
            with pytest.raises(openai.RateLimitError, match="1 requests at once"):
                deployed.ask()
    finally:
        os.kill(served.worker.process.pid, signal.SIGCONT)
    patient = deployed.client.with_options(max_retries=5)
    assert patient.chat.completions.create(model=deployed.name, **ASK).choices
    assert deployed.today["requests"] == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": ["a"] * 33}, "prompt"),
        ({"prompt": ["a"] * 11, "n": 3}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"stream": True, "echo": True, "logprobs": 1}, "stream"),
    ],
    ids=str,
)
def test_what_a_completion_does_not_honour_is_refused_by_its_name(support, options, named):
    ask = {"model": "support", "prompt": "Hello"} | options
    with pytest.raises(openai.BadRequestError) as refused:
        support.client.completions.create(**ask)
    assert str(refused.value.body["param"]).startswith(named)


def test_the_command_deploys_shows_and_deletes(served, tmp_path):
    def maxft(*words: str) -> str:
        here = {"MAXFT_URL": served.url, "MAXFT_TOKEN": served.key, "HOME": str(tmp_path)}
        command = [sys.executable, "-m", "maxft_client", *words]
        return subprocess.run(
            command, env=os.environ | here, check=True, capture_output=True, text=True
        ).stdout

    made = json.loads(maxft("deploy", served.model, "--name", "by-command", "--json"))
    client = openai.OpenAI(base_url=made["base_url"], api_key=made["key"])
    assert client.chat.completions.create(model="by-command", **ASK).choices
    assert "by-command" in maxft("deployments", "list")
    used = json.loads(maxft("deployments", "usage", "by-command", "--days", "1", "--json"))
    assert used["days"][0]["requests"] == 1
    assert json.loads(maxft("deployments", "stop", "by-command", "--json"))["status"] == "stopped"
    maxft("deployments", "delete", "by-command", "--yes")
    assert "by-command" not in maxft("deployments", "list")
