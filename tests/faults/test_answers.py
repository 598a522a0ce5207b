"""Answers on their way while Redis or the inference worker is killed."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.served_api import ServedApi, served_api, wait_until
from tests.tiny import make_llama

pytestmark = pytest.mark.faults
ASK = {
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 450,
    "temperature": 1.5,
    "seed": 2,
    "stream": True,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    model = make_llama(tmp_path_factory.mktemp("model"))
    with served_api(tmp_path_factory.mktemp("site"), model) as api:
        yield api


def read(chunks, after_piece=lambda number: None):
    pieces = []
    for chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            after_piece(len(pieces))
    return "".join(pieces)


def test_redis_killed_in_the_middle_costs_nothing(served):
    ask = ASK | {"model": served.model}
    unbroken = read(served.client.chat.completions.create(**ask))

    def kill(number):
        if number == 2:
            served.redis.kill()
            served.redis.start()

    assert read(served.client.chat.completions.create(**ask), kill) == unbroken


def test_worker_killed_in_the_middle_is_said(served):
    ask = ASK | {"model": served.model}

    def kill(number):
        if number == 2:
            served.worker.process.kill()
            served.worker.end()
            served.start_worker()

    with pytest.raises(openai.APIError, match="lost"):
        read(served.client.chat.completions.create(**ask), kill)
    wait_until(lambda: not served.is_busy())
    assert read(served.client.chat.completions.create(**ask))


def test_each_of_many_streams_is_told_that_the_worker_was_killed(served):
    """They were made together; a new worker ends them, and answers what waited."""
    streams = [
        served.client.chat.completions.create(**ASK | {"model": served.model, "seed": number})
        for number in range(5)
    ]
    begun = [
        next(chunk for chunk in stream if chunk.choices[0].delta.content) for stream in streams
    ]
    assert len(begun) == len(streams)
    served.worker.process.kill()
    served.worker.end()
    served.start_worker()
    for stream in streams:
        with pytest.raises(openai.APIError, match="lost"):
            read(stream)
    wait_until(lambda: not served.is_busy())
    assert read(served.client.chat.completions.create(**ASK | {"model": served.model}))


def test_the_worker_ends_when_told(served):
    chunks = served.client.chat.completions.create(**ASK, model=served.model)

    def end(number):
        if number == 2:
            served.worker.process.terminate()

    with pytest.raises(openai.APIError, match="stopped"):
        read(chunks, end)
    assert served.worker.end() == 0
    served.start_worker()
    assert read(served.client.chat.completions.create(**ASK, model=served.model))
