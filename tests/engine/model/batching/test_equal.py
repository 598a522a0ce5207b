"""Answers made in a batch are those of `generate`, whoever else is answered."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.model.batching.attention import UnbatchableError
from maxaillm.model.batching.support import twin_of
from maxaillm.model.sampling import SamplingOptions
from tests.engine.model.batching.batches import (
    KINDS,
    Asked,
    answer_to,
    engine_of,
    generated,
    model_of,
    work_off,
)

TOKENS = st.integers(5, 260)


def options_of(**given):
    return SamplingOptions(
        **{"temperature": 0, "top_p": 1, "max_new_tokens": 24, "seed": 5} | given
    )


MIXED = [
    options_of(),
    options_of(repetition_penalty=1.3),
    options_of(frequency_penalty=0.7, presence_penalty=0.4, max_new_tokens=40),
    options_of(temperature=1.2),
    options_of(temperature=0.8, top_p=0.7, seed=6),
    options_of(temperature=1.5, top_k=20, top_p=0.9, repetition_penalty=1.2, max_new_tokens=31),
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_answer_is_that_of_generate(kind):
    """Long prompts in pieces, joined in mid-flight, greedy and drawn, with windows that slide."""
    engine = engine_of(kind)
    asked = [
        Asked([(7 * place * (number + 3)) % 250 + 5 for place in range(5 + 61 * number)], options)
        for number, options in enumerate(MIXED)
    ]
    answers = []
    for one in asked:
        answers.append(answer_to(one))
        engine.join(answers[-1])
        engine.step()
    work_off(engine)
    for one, answer in zip(asked, answers, strict=True):
        assert answer.tokens == generated(model_of(kind), one), one.options
        assert answer.finish == "length"


@st.composite
def arrivals(draw):
    """Requests, each with the step at which it comes and, for some, at which it is given up."""
    starts = draw(st.lists(TOKENS, min_size=40, max_size=60))
    made = []
    for _ in range(draw(st.integers(2, 9))):
        shared = draw(st.booleans())
        own = draw(st.lists(TOKENS, min_size=1, max_size=30))
        options = options_of(
            temperature=draw(st.sampled_from([0, 1.1])),
            top_p=draw(st.sampled_from([1, 0.8])),
            max_new_tokens=draw(st.integers(1, 30)),
            seed=draw(st.integers(0, 9)),
        )
        come = draw(st.integers(0, 25))
        left = draw(st.none() | st.integers(1, 20))
        made.append((come, left, Asked(starts * shared + own, options)))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(requests=arrivals())
def test_no_arrival_and_no_leaving_changes_another_answer(requests):
    engine, answers = engine_of("llama"), {}
    step = 0
    while len(answers) < len(requests) or engine.answers:
        for number, (come, left, asked) in enumerate(requests):
            if come == step:
                answers[number] = answer_to(asked)
                engine.join(answers[number])
            elif left and come + left == step and answers[number].finish is None:
                engine.leave(answers[number])
        engine.step()
        step += 1
    for number, (_, left, asked) in enumerate(requests):
        made, wanted = answers[number], generated(model_of("llama"), asked)
        assert made.tokens == wanted[: len(made.tokens)]
        assert (made.finish == "length") is (len(made.tokens) == len(wanted))
        assert made.finish == "length" or left


def test_a_prompt_that_begins_alike_is_not_read_again():
    engine = engine_of("llama")
    start = [(11 * place) % 240 + 5 for place in range(200)]
    first = Asked([*start, 17, 18], options_of())
    engine.join(answer_to(first))
    work_off(engine)
    second = answer_to(Asked([*start, 99, 98, 97], options_of()))
    engine.join(second)
    engine.admit()
    assert second.cached == len(start)
    work_off(engine)
    assert second.tokens == generated(model_of("llama"), Asked([*start, 99, 98, 97], options_of()))


def test_memory_bounds_who_is_answered_at_once():
    engine = engine_of("llama")
    answers = [answer_to(Asked([9, 8, number + 5], options_of())) for number in range(6)]
    engine.join(answers[0])
    engine.step()
    engine.budget_bytes = 2 * engine.slots.length * engine.slots.position_bytes
    for answer in answers[1:]:
        engine.join(answer)
    seen = set()
    while engine.answers:
        engine.step()
        seen.add(len(engine.rows))
    assert max(seen) <= 2
    assert all(answer.finish == "length" for answer in answers)


@pytest.mark.parametrize(
    ("config", "model", "options"),
    [
        ("Gemma2Config", "Gemma2ForCausalLM", {"head_dim": 8}),
        ("GptOssConfig", "GptOssForCausalLM", {"head_dim": 8}),
        ("FalconConfig", "FalconForCausalLM", {"alibi": True}),
        ("MambaConfig", "MambaForCausalLM", {}),
    ],
)
def test_what_would_be_answered_otherwise_is_refused(config, model, options):
    import transformers

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 264}
    heads = {} if model.startswith("Mamba") else {"num_attention_heads": 4}
    made = getattr(transformers, config)(**sizes, **heads, **options, initializer_range=0.3)
    with pytest.raises(UnbatchableError):
        twin_of(getattr(transformers, model)(made).eval())
