"""A model served by the library, under OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from maxaillm.model.llm import MaxHuggingFaceLLM
from maxaillm.model.sampling import SamplingOptions
from maxaillm.model.served import Deployment
from tests.tiny import make_llama

HELLO = [{"role": "user", "content": "Hello"}]
ASK = {"model": "mine", "messages": HELLO, "max_tokens": 8, "temperature": 0}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder: Path = make_llama(tmp_path_factory.mktemp("llama"))
    with Deployment(MaxHuggingFaceLLM(folder, device="cpu"), "mine") as served:
        yield served


@pytest.fixture
def client(deployment: Deployment) -> openai.OpenAI:
    return openai.OpenAI(base_url=deployment.base_url, api_key=deployment.key, max_retries=0)


def test_answers_are_the_models_own(deployment, client):
    wanted = deployment.llm.chat(HELLO, SamplingOptions(temperature=0, max_new_tokens=8))
    assert [model.id for model in client.models.list()] == ["mine"]
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(client.chat.completions.create, **ASK) for _ in range(4)]
    for done in tries:
        [choice] = done.result().choices
        assert choice.message.content == wanted
        assert done.result().usage.completion_tokens <= 8
    chunks = list(client.chat.completions.create(**ASK, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == wanted
    assert chunks[-1].choices[0].finish_reason == choice.finish_reason


@pytest.mark.parametrize(
    ("change", "error", "param"),
    [
        ({"model": "other"}, openai.NotFoundError, None),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "user", "content": "a" * 3000}]}, openai.BadRequestError, None),
    ],
    ids=str,
)
def test_what_it_does_not_honour_is_refused(client, change, error, param):
    with pytest.raises(error) as refused:
        client.chat.completions.create(**ASK | change)
    assert refused.value.body["param"] == param
    assert refused.value.body["message"]


def test_a_key_is_needed_and_nothing_else_is_there(deployment, client):
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="mfd_wrong").models.list()
    headers = {"Authorization": f"Bearer {deployment.key}"}
    assert httpx.get(f"{deployment.base_url}/files", headers=headers).status_code == 404
    cut = httpx.post(f"{deployment.base_url}/chat/completions", content="{", headers=headers)
    assert cut.status_code == 400


def test_after_stop_nobody_answers(deployment):
    other = Deployment(deployment.llm, "other")
    other.stop()
    other.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{other.base_url}/models")
