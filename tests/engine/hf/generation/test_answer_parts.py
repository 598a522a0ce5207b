"""Thoughts and calls of tools in answers: read as the chat template writes them, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.dev.finetune.hf.batches.chat_template import Template
from maxaillm.dev.finetune.hf.generation.answer_form import AnswerForm, answer_form, written
from maxaillm.dev.finetune.hf.generation.answer_parts import AnswerParts, Part
from maxaillm.dev.finetune.hf.generation.call_forms import JsonCalls, properties_of
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from tests import tiny
from tests.engine.hf.generation.call_templates import TEMPLATES

SCHEMA = {"properties": {"in": {"type": "string"}, "days": {"type": "array"}}}
TOOLS = properties_of([{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}])
GIVEN = ({"in": 'Ulm – «é» "}\n</x>', "days": [1, {"a": None}]}, {"in": "a\nb"})


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(tiny.save_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def split(form: AnswerForm, pieces: Sequence[str]) -> list[Part]:
    """The parts of an answer that comes in `pieces`; what follows each other of a kind as one."""
    answer, found = AnswerParts(form, TOOLS), list[Part]()
    for part in (part for piece in pieces for part in answer.add(piece)):
        found.append(part)
    found += answer.rest()
    merged: list[Part] = []
    for part in found:
        goes_on = merged and part.kind != "call" and merged[-1].kind == part.kind
        before = merged.pop().text if goes_on else ""
        merged.append(part._replace(text=before + part.text))
    return merged


def calls_in(parts: Sequence[Part]) -> list[tuple[str, object]]:
    found = [part.call for part in parts if part.call]
    assert all(call.id and len(call.id) == 9 for call in found)
    return [(call.name, json.loads(call.arguments)) for call in found]


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_writes_is_read_again(tokenizer: Tokenizer, name: str, step: int) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    form = answer_form(tokenizer)
    count = 1 if name == "bare JSON" else 2
    calls = tuple(
        ToolCall(id=f"abcdefgh{number}", name="weather", arguments=json.dumps(GIVEN[number]))
        for number in range(count)
    )
    message = Message(role="assistant", content="Let me see.\n", reasoning="Hm.", tool_calls=calls)
    text = written(Template(tokenizer), message).partition("assistant\n")[2]
    text = text.strip().removesuffix("<|im_end|>")
    parts = split(form, [text[at : at + step] for at in range(0, len(text), step)])
    assert calls_in(parts) == [("weather", given) for given in GIVEN[:count]]
    assert parts[:2] == [Part("reasoning", "Hm."), Part("text", "Let me see.")]


CALL = '<tool_call>\n{"name": "weather", "arguments": {"in": "<think>"}}\n</tool_call>'
TAGS = JsonCalls(begin="<tool_call>\n", end="</tool_call>", name_key="name", given_key="arguments")
BARE = JsonCalls(begin="", name_key="name", given_key="arguments")
FRAGMENTS = st.sampled_from([
    CALL, CALL[:20], CALL[20:], CALL.replace("weather", "other"), CALL[12:-13], "<tool_call>",
    "</tool_call>", "<think>", "</think>", "\n", " ", "{", "[", '{"a": 1}', "Hello", "<t", "é",
])  # fmt: skip


@given(pieces=st.lists(FRAGMENTS, max_size=12), calls=st.sampled_from([TAGS, BARE, None]))
def test_nothing_of_an_answer_is_lost_however_it_comes(
    pieces: list[str], calls: JsonCalls | None
) -> None:
    form = AnswerForm(("<think>", "</think>"), calls)
    parts, text = split(form, pieces), "".join(pieces)
    assert [shown(part) for part in parts] == [shown(part) for part in split(form, [text])]
    assert [shown(part) for part in parts] == [shown(part) for part in split(form, list(text))]
    assert without_marks("".join(map(shown, parts))) == without_marks(text)


def shown(part: Part) -> str:
    return part.text if part.call is None else CALL


def without_marks(text: str) -> str:
    """But for white space and what stands around thoughts and calls."""
    for mark in ("<think>", "</think>", "<tool_call>", "</tool_call>"):
        text = text.replace(mark, "")
    return "".join(text.split())


@pytest.mark.parametrize("answer", [
    '<tool_call>\n{"name": "weather", "arguments": {"in": "U', CALL.replace("weather", "other"),
    "<tool_call>{}</tool_call>", "<tool_call>weather</tool_call>", CALL.replace("{\"in", "[{\"in"),
    CALL.replace('"<think>"', "NaN"), " a  <tool_call>", '[{"name": "weather"}]',
])  # fmt: skip
def test_what_is_no_call_stays_text(answer: str) -> None:
    assert split(AnswerForm(None, TAGS), [answer]) == [Part("text", answer)]
    assert split(AnswerForm(None, None), list(CALL)) == [Part("text", CALL)]
