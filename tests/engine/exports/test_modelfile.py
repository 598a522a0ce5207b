"""Ollama's Modelfile: its template writes what the chat template writes, or there is none."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
import pytest

from maxaillm.dev.finetune.exports.shared.modelfile import (
    CONVERSATIONS,
    Render,
    Tokens,
    Turn,
    turns_of,
    write_modelfile,
)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
DEFAULT_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe nice.<|im_end|>\n{% endif %}"
) + CHATML
LLAMA_3 = (
    "<s>{% for m in messages %}<|h|>{{ m.role }}<|/h|>\n\n{{ m.content }}<|eot|>{% endfor %}"
    "<|h|>assistant<|/h|>\n\n"
)
MARKED = (
    "<s>{% for m in messages %}{% if m.role == 'assistant' %}A:{{ m.content }}</s>"
    "{% else %}{{ m.role }}:{{ m.content }}\n{% endif %}{% endfor %}A:"
)
INST = (
    "<s>{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}</s>"
    "{% else %}{{ raise('no system') }}{% endif %}{% endfor %}"
)
COUNTED = "{% for m in messages %}{{ loop.index }}{{ m.content }}\n{% endfor %}assistant:"


def render_of(template: str) -> Render:
    def refuse(word: str) -> str:
        raise ValueError(word)

    def render(turns: Sequence[Turn]) -> str:
        made = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
        return made.from_string(template).render(messages=turns, **{"raise": refuse})

    return render


def written(template: str, *, bos: str = "<s>", adds_bos: bool = False) -> str:
    return write_modelfile("model.gguf", render_of(template), Tokens(bos, adds_bos, "</s>", 512))


@pytest.mark.parametrize("template", [CHATML, DEFAULT_SYSTEM, LLAMA_3, MARKED])
def test_what_is_read_off_writes_every_conversation_the_same(template: str) -> None:
    render = render_of(template)
    turns = turns_of(render, "<s>")
    for conversation in CONVERSATIONS:
        assert turns.render(conversation) == render(conversation)
    assert "TEMPLATE" in written(template)


def test_the_file_in_full() -> None:
    assert written(CHATML) == (
        "FROM ./model.gguf\n"
        'TEMPLATE """{{ range .Messages }}'
        '{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n'
        '{{ end }}{{ end }}<|im_start|>assistant\n"""\n'
        'PARAMETER stop "</s>"\n'
        'PARAMETER stop "<|im_end|>"\n'
        "PARAMETER num_ctx 512\n"
    )
    assert 'SYSTEM """Be nice."""' in written(DEFAULT_SYSTEM)


@pytest.mark.parametrize("template", [INST, COUNTED, CHATML.replace("<|im_end|>", "{{ '{{' }}")])
def test_what_can_not_be_said_in_go_is_said_in_words(template: str) -> None:
    text = written(template)
    assert "TEMPLATE" not in text
    assert "# The chat template can't be written as Ollama's: " in text


def test_the_token_that_begins_a_text_stands_there_once() -> None:
    """llama.cpp puts it there by itself where the file says so."""
    assert 'TEMPLATE """<s>' in written(LLAMA_3)
    assert 'TEMPLATE """{{ range' in written(LLAMA_3, adds_bos=True)
    assert "TEMPLATE" not in written(CHATML, adds_bos=True)
