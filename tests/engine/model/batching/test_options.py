"""Bias, log probabilities, stop words and structure in a batch."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

from maxaillm.model.batching.sampler import Sampler
from maxaillm.model.batching.structure import Grammars, SchemaRefusedError
from maxaillm.model.sampling import SamplingOptions
from tests.engine.model.batching.batches import (
    Asked,
    answer_to,
    engine_of,
    generated,
    model_of,
    tokenizer,
    work_off,
)
from tests.tiny import SIZE

PROMPT = [(place * 7) % 250 + 5 for place in range(70)]
END = 4
GREEDY = SamplingOptions(temperature=0, max_new_tokens=16)


def text_of(answer):
    return "".join(part.text for part in answer.parts)


def with_options(**options):
    return GREEDY.model_copy(update=options)


def test_log_probabilities_of_answer_and_prompt_are_the_models():
    engine = engine_of("llama")
    asked = Asked(PROMPT, with_options(logprobs=3))
    answer, other = answer_to(asked, echo=True), answer_to(Asked(PROMPT[:9], GREEDY))
    for one in (other, answer):
        engine.join(one)
    work_off(engine)
    whole = generated(model_of("llama"), asked)
    with torch.no_grad():
        rows = model_of("llama")(torch.tensor([whole])).logits[0].log_softmax(-1)
    said = [*answer.prompt_logprobs, *answer.logprobs]
    assert [one.id for one in said] == whole
    assert said[0].logprob is None
    for place, one in enumerate(said[1:]):
        assert one.logprob == pytest.approx(float(rows[place, one.id]), abs=1e-4)
        assert [top.id for top in one.top] == rows[place].topk(3).indices.tolist()
    assert all(one.logprob == one.top[0].logprob for one in answer.logprobs), "to the last bit"
    assert not other.logprobs


def test_a_prompt_alone_can_be_scored():
    engine = engine_of("gpt2")
    answer = answer_to(Asked(PROMPT, with_options(max_new_tokens=0, logprobs=0)), echo=True)
    engine.join(answer)
    work_off(engine)
    assert (answer.finish, answer.completion_tokens) == ("length", 0)
    assert len(answer.prompt_logprobs) == len(PROMPT)


def test_a_bias_bans_and_demands_tokens():
    plain = generated(model_of("llama"), Asked(PROMPT, GREEDY))[len(PROMPT)]
    engine = engine_of("llama")
    banned = answer_to(Asked(PROMPT, with_options(logit_bias={plain: -100})))
    demanded = answer_to(Asked(PROMPT, with_options(logit_bias={77: 100, 10**6: 5})))
    for one in (banned, demanded):
        engine.join(one)
    work_off(engine)
    assert plain not in banned.tokens[len(PROMPT) :]
    assert set(demanded.tokens[len(PROMPT) :]) == {77}


def test_a_stop_word_ends_only_its_own_answer():
    engine = engine_of("llama")
    whole = answer_to(Asked(PROMPT, GREEDY))
    engine.join(whole)
    work_off(engine)
    text = text_of(whole)
    stop = text[4:6]
    cut, other = (
        answer_to(Asked(PROMPT, with_options(stop=[stop]))),
        answer_to(Asked(PROMPT, GREEDY)),
    )
    for one in (cut, other):
        engine.join(one)
    work_off(engine)
    assert text_of(cut) == text[: text.index(stop)]
    assert (cut.finish, other.finish) == ("stop", "length")
    assert text_of(other) == text


SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "blue"]},
        "sizes": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    },
    "required": ["colour", "sizes"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_an_answer_keeps_to_its_schema(temperature):
    """A model of random weights would never write JSON by itself."""
    engine = engine_of("llama")
    drawn = with_options(temperature=temperature, seed=3, max_new_tokens=200, json_schema=SCHEMA)
    answer, free = answer_to(Asked(PROMPT, drawn), ends=[END]), answer_to(Asked(PROMPT, GREEDY))
    for one in (free, answer):
        engine.join(one)
    work_off(engine)
    said = json.loads(text_of(answer))
    assert said["colour"] in {"red", "blue"}
    assert len(said["sizes"]) <= 2
    assert answer.finish == "stop"
    assert free.tokens == generated(model_of("llama"), Asked(PROMPT, GREEDY))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "colour"},
        {"$ref": "https://example.com/schema.json"},
        {
            "allOf": [
                {"anyOf": [{"properties": {f"a{one}": {"const": two}}} for two in range(8)]}
                for one in range(8)
            ]
        },
        {"type": "string", "pattern": "(?=a)b"},
    ],
)
def test_a_schema_that_is_none_or_costs_too_much_is_refused(schema):
    grammars = Grammars(tokenizer(), SIZE + 3, [END])
    with pytest.raises(SchemaRefusedError) as refused:
        grammars.matcher(with_options(json_schema=schema)).allowed()
    assert refused.value.hint


def test_a_schema_is_bounded_before_it_is_read():
    deep: dict = {}
    for _ in range(2000):
        deep = {"items": deep}
    for schema in (deep, {"enum": ["x" * 70_000]}):
        with pytest.raises(ValidationError, match=r"nested|bytes"):
            SamplingOptions(json_schema=schema)


def test_without_a_seed_the_quick_way_draws_the_same_distribution():
    """Against the exact way's own shares, from a vocabulary too large to sort each time."""
    torch.manual_seed(1)
    scores = torch.randn(3000) * 3
    for given in (
        {"top_p": 0.9},
        {"top_k": 5, "top_p": 1},
        {"top_p": 1},
        {"top_k": 40, "top_p": 0.6},
    ):
        options = SamplingOptions(temperature=0.8, **given)
        kept = Sampler(options, []).shares(scores / 0.8)
        sampler = Sampler(options, [])
        sampler.generator.manual_seed(2)
        drawn = torch.bincount(
            torch.tensor([sampler.choose(scores) for _ in range(4000)]), minlength=3000
        )
        assert not drawn[kept == 0].any()
        likely = kept > 0.02
        assert torch.allclose(drawn[likely] / 4000, kept[likely], atol=0.03)
