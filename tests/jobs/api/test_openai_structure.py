"""What the official client asks of the engine: bare prompts, log probabilities, structure."""

from __future__ import annotations

import json
import math

import openai
import pytest

from tests.families import ENCODER, make_encoder, save_encoder_tokenizer

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "size": {"enum": ["s", "m"]}},
    "required": ["ok", "size"],
    "additionalProperties": False,
}
TOOL, OTHER = (
    {"type": "function", "function": {"name": name, "parameters": {"enum": [{"on": "today"}]}}}
    for name in ("weather", "tides")
)


@pytest.mark.parametrize("form", ["text", "texts", "ids", "lists"])
def test_a_prompt_of_every_form_is_gone_on_with(served, form):
    prompt = {"text": "Hello", "texts": ["Hello", "you"], "ids": [5, 6], "lists": [[5, 6], [7]]}
    ask = {"model": served.model, "max_tokens": 3, "temperature": 0, "prompt": prompt[form]}
    done = served.client.completions.create(**ask)
    assert [choice.index for choice in done.choices] == list(range(len(done.choices)))
    assert len(done.choices) == (2 if form in {"texts", "lists"} else 1)
    streamed = [""] * len(done.choices)
    for part in served.client.completions.create(**ask, stream=True):
        for choice in part.choices:
            streamed[choice.index] += choice.text
    assert streamed == [choice.text for choice in done.choices]


def test_an_echoed_prompt_is_scored_as_lm_eval_wants_it(served):
    ask = {"model": served.model, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234}
    prompts = [[5, 6, 7, 8], [9, 10]]
    done = served.client.completions.create(**ask, prompt=prompts, echo=True)
    for prompt, choice in zip(prompts, done.choices, strict=True):
        found = choice.logprobs
        assert len(found.tokens) == len(found.token_logprobs) == len(prompt) + 1
        assert found.token_logprobs[0] is None is found.top_logprobs[0]
        assert all(value <= 0 for value in found.token_logprobs[1:])
        assert found.token_logprobs[-1] == max(found.top_logprobs[-1].values())
        assert "".join(found.tokens) == choice.text
        assert found.text_offset[0] == 0
    only = served.client.completions.create(
        model=served.model, prompt=[5, 6], echo=True, max_tokens=0
    )
    assert only.usage.completion_tokens == 0
    assert only.choices[0].text


def test_log_probabilities_of_a_chat(served):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 4, "temperature": 0}
    choice = served.client.chat.completions.create(**ask, logprobs=True, top_logprobs=3).choices[0]
    content = choice.logprobs.content
    assert "".join(entry.token for entry in content).startswith(choice.message.content[:1])
    for entry in content:
        assert len(entry.top_logprobs) == 3
        assert entry.logprob == entry.top_logprobs[0].logprob  # greedy
        assert sum(math.exp(top.logprob) for top in entry.top_logprobs) <= 1.001
    streamed = [
        entry
        for part in served.client.chat.completions.create(**ask, logprobs=True, stream=True)
        for one in part.choices
        for entry in (one.logprobs.content if one.logprobs else [])
    ]
    assert [entry.token for entry in streamed] == [entry.token for entry in content]


def test_a_bias_all_but_demands_a_token(served):
    done = served.client.completions.create(
        model=served.model, prompt="Hello", max_tokens=3, logit_bias={"7": 100}, logprobs=0
    )
    assert len(set(done.choices[0].logprobs.tokens)) == 1


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_fits_its_schema(served, stream):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 200, "response_format": wanted}
    if stream:
        parts = served.client.chat.completions.create(**ask, stream=True)
        text = "".join(c.delta.content or "" for part in parts for c in part.choices)
    else:
        text = served.client.chat.completions.create(**ask).choices[0].message.content
    assert set(json.loads(text)) == {"ok", "size"}


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "tides"}}]
)
def test_a_forced_call_has_the_shape_of_its_function(served, choice):
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 200, "seed": 3}
    ask |= {"tools": [TOOL, OTHER], "tool_choice": choice}
    done = served.client.chat.completions.create(**ask).choices[0]
    [call] = done.message.tool_calls
    assert call.function.name in ({"weather", "tides"} if choice == "required" else {"tides"})
    assert json.loads(call.function.arguments) == {"on": "today"}
    assert (done.finish_reason, done.message.content) == ("tool_calls", None)
    with served.client.chat.completions.stream(**ask) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
    with pytest.raises(openai.BadRequestError, match="names no function"):
        missing = {"type": "function", "function": {"name": "moon"}}
        served.client.chat.completions.create(**ask | {"tool_choice": missing})


def nested(depth: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        nested(200),
        {"enum": [str(number) * 20 for number in range(5000)]},
        {"type": "array", "minItems": 10**9, "items": nested(3)},
        {"$ref": "https://example.com/schema.json"},
        {"type": "nonsense"},
    ],
    ids=["deep", "large", "endless", "remote", "wrong"],
)
def test_a_schema_that_explodes_is_refused_or_bounded(served, schema):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    ask = {"model": served.model, "messages": HELLO, "max_tokens": 8, "response_format": wanted}
    try:
        done = served.client.with_options(timeout=60).chat.completions.create(**ask)
        assert done.usage.completion_tokens <= 8
    except openai.BadRequestError as refused:
        assert refused.body["message"]
    assert served.client.chat.completions.create(model=served.model, messages=HELLO, max_tokens=1)


@pytest.fixture(scope="module")
def encoders(served, tmp_path_factory):
    """One that fills gaps, one that has labels."""
    folder = tmp_path_factory.mktemp("encoders")
    names = [str(make_encoder("Bert")(folder / "bert")), str(labelled(folder / "labelled"))]
    for name in names:
        row = f"LanguageModel.objects.create(name={name!r}, kind='base', size_bytes=1)"
        served.run("shell", "-v0", "-c", f"from jobs.models import LanguageModel; {row}")
    return names


def labelled(folder):
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    names = {0: "sour", 1: "sweet", 2: "salty"}
    labels = {name: number for number, name in names.items()}
    config = BertConfig(**ENCODER, max_position_embeddings=128, id2label=names, label2id=labels)
    BertForSequenceClassification(config).save_pretrained(folder)
    return save_encoder_tokenizer(folder)


def test_texts_become_vectors(served, encoders):
    texts = ["Hello you", "Hello", "Hello you"]
    found = served.client.embeddings.create(model=encoders[0], input=texts)
    first, second, third = (entry.embedding for entry in found.data)
    assert first == pytest.approx(third, abs=1e-5)
    assert first != pytest.approx(second, abs=1e-3)
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-3)
    plain = served.client.embeddings.create(
        model=encoders[0], input="Hello you", encoding_format="float"
    )
    assert plain.data[0].embedding == pytest.approx(first, abs=1e-5)
    assert found.usage.total_tokens > 0
    for name, texts in ((served.model, "Hello"), (encoders[0], [[10**6]]), (encoders[0], "")):
        with pytest.raises(openai.BadRequestError):
            served.client.embeddings.create(model=name, input=texts)


def test_texts_are_classified_together(served, encoders):
    body = {"model": encoders[1], "input": ["good", "bad", "good"]}
    found = served.client.post("/classify", body=body, cast_to=object)
    assert [entry["index"] for entry in found["data"]] == [0, 1, 2]
    assert found["data"][0]["label"] == found["data"][0]["labels"][0]["label"]
    assert found["data"][0]["labels"] == found["data"][2]["labels"]
