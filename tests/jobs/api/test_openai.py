"""The chat API under OpenAI's own client, against a real server and a real worker."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from tests import tiny
from tests.engine.hf.generation.call_templates import TEMPLATES
from tests.served_api import wait_until

HELLO = [{"role": "user", "content": "Hello"}]


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
        ({"n": 33}, openai.BadRequestError, "invalid_value"),
        ({"stop": list("abcde")}, openai.BadRequestError, "invalid_value"),
        ({"top_logprobs": 3}, openai.BadRequestError, "invalid_value"),
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


def test_odd_characters_are_no_trouble(served):
    body = {"model": served.model, "messages": HELLO, "max_tokens": 1}
    raw = json.dumps(body).replace("Hello", "\\ud800 \\u0000 🌹")
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    url = f"{served.url}/v1/chat/completions"
    assert httpx.post(url, content=raw, headers=headers, timeout=60).status_code == 200
    assert httpx.post(url, content=raw[:-1], headers=headers).json()["error"]["message"]


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
        os.kill(served.worker.process.pid, signal.SIGSTOP)  # or the answer is there too soon
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, headers=headers, timeout=0.3)
        os.kill(served.worker.process.pid, signal.SIGCONT)
    wait_until(lambda: not served.is_busy(), 10)


def test_parallel_requests_of_one_key_are_all_answered(served):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 8, "temperature": 0}
    client = served.client.with_options(max_retries=0)
    with ThreadPoolExecutor(32) as pool:
        tries = [pool.submit(client.chat.completions.create, **ask) for _ in range(32)]
    assert len({done.result().choices[0].message.content for done in tries}) == 1


def test_messages_of_other_servers_with_empty_fields_are_taken(served):
    first = served.client.chat.completions.create(
        model=served.model, messages=HELLO, max_tokens=4, logprobs=False, logit_bias={}
    )
    turns = [*HELLO, first.choices[0].message.model_dump() | {"refusal": None, "audio": None}]
    again = served.client.chat.completions.create(
        model=served.model, messages=[*turns, *HELLO], max_tokens=4, user="a", metadata={"b": "c"}
    )
    assert again.usage.prompt_tokens > first.usage.prompt_tokens


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {
    "id": "a",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"in": "Ulm"}'},
}


def test_tools_and_what_they_found_reach_the_model(served):
    ask = {"model": served.model, "max_tokens": 4}
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    found = {"role": "tool", "tool_call_id": "a", "content": "It rains."}
    lengths = [
        served.client.chat.completions.create(**ask, messages=turns, **more).usage.prompt_tokens
        for turns, more in (
            (HELLO, {}),
            (HELLO, {"tools": [TOOL]}),
            (HELLO, {"tools": [TOOL], "tool_choice": "none"}),
            ([*HELLO, called, found], {"tools": [TOOL]}),
        )
    ]
    assert lengths[0] == lengths[2] < lengths[1] < lengths[3]
    broken = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}
    with pytest.raises(openai.BadRequestError) as refused:
        served.client.chat.completions.create(**ask, messages=[*HELLO, broken])
    assert refused.value.body["param"] == "messages"
    with pytest.raises(openai.BadRequestError, match="nothing to answer"):
        empty = [{"role": "system", "content": ""}]
        served.client.chat.completions.create(**ask, messages=empty)


SAID = ["<think>", "It may rain.", "</think>", "I look.", "<tool_call>", "\n" + json.dumps(
    {"name": "weather", "arguments": {"in": "Ulm"}}
), "</tool_call>"]  # fmt: skip


def test_thoughts_and_calls_come_apart_from_the_text(served, tmp_path):
    folder = tiny.make_reciter(tmp_path, SAID, TEMPLATES["tags around JSON"])
    made = f"LanguageModel.objects.create(name={str(folder)!r}, kind='base', size_bytes=1)"
    served.run("shell", "-v0", "-c", f"from jobs.models import LanguageModel; {made}")
    ask = {"model": str(folder), "messages": HELLO, "temperature": 0, "tools": [TOOL]}
    choice = served.client.chat.completions.create(**ask).choices[0]
    message, [call] = choice.message, choice.message.tool_calls
    assert (message.reasoning_content, message.content) == ("It may rain.", "I look.")
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"in": "Ulm"})
    assert choice.finish_reason == "tool_calls"
    with served.client.chat.completions.stream(**ask) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.message.content == message.content
    assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
    assert streamed.finish_reason == "tool_calls"
    found = {"role": "tool", "tool_call_id": call.id, "content": "It rains."}
    turns = [*HELLO, message.model_dump(exclude_none=True), found]
    assert served.client.chat.completions.create(**ask | {"messages": turns}).choices
    plain = served.client.chat.completions.create(**ask | {"tools": []}).choices[0]
    assert plain.message.content == "".join(SAID[3:])
    assert plain.finish_reason == "stop"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"tools": [TOOL], "response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"extra_body": {"temprature": 0}}, "temprature"),
        (
            {"messages": [{"role": "user", "content": "a", "audio": {"id": "x"}}]},
            "messages.0.audio",
        ),
        ({"presence_penalty": 3}, "presence_penalty"),
    ],
    ids=str,
)
def test_what_is_not_honoured_is_refused_by_its_name(served, options, named):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 4} | options
    with pytest.raises(openai.BadRequestError) as refused:
        served.client.chat.completions.create(**ask)
    assert refused.value.body["param"] == named


def test_penalties_change_the_answer(served):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 40, "temperature": 0}
    plain, varied = (
        served.client.chat.completions.create(**ask, **options).choices[0].message.content
        for options in ({}, {"frequency_penalty": 2, "presence_penalty": 2})
    )
    assert len(set(varied)) > len(set(plain))
