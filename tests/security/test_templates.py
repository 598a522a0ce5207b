"""Chat templates are programs that came with a model: rendered in a child, within limits."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from jinja2 import TemplateError

from maxaillm.dev.finetune.errors import FineTuneError, ModelError
from maxaillm.dev.finetune.hf import templates
from maxaillm.dev.finetune.hf.batches.chat_template import encode_prompt
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests.real_data import ROOT
from tests.tiny import CHAT_TEMPLATE, save_tokenizer

ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
LOOP = f"{{{{ messages[0].content }}}}{ENDLESS}"
CHAT = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of the test's own, which has not long to work."""
    monkeypatch.setattr(templates, "child", templates.TemplateChild(seconds=1))


def tokenizer_with(tmp_path: Path, template: str) -> Any:
    tokenizer = load_tokenizer(save_tokenizer(tmp_path / "tokenizer"))
    tokenizer.chat_template = template
    return tokenizer


def test_a_loop_without_end_is_ended_whoever_renders(tmp_path: Path, quick: None) -> None:
    tokenizer = tokenizer_with(tmp_path, LOOP)
    with pytest.raises(ModelError, match="without an end"):
        tokenizer.apply_chat_template(CHAT, tokenize=False)
    process = templates.child.process
    assert process is not None
    assert process.poll() is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ 'a' * 10 ** 10 }}",
        "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}"
        "{% endfor %}{{ ns.t }}",
        "{{ messages[0].nothing.more }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ raise_exception('no') }}",
    ],
)
def test_what_it_can_t_do_is_a_refusal(hostile: str) -> None:
    with pytest.raises(TemplateError):
        templates.render_jinja_template([CHAT], chat_template=hostile)


def test_numbers_without_measure_are_ended(quick: None) -> None:
    """Compiled code, which no exception interrupts."""
    with pytest.raises(ModelError):
        templates.render_jinja_template([CHAT], chat_template="{{ 9 ** (9 ** 9) }}")


def test_it_renders_what_transformers_does(tmp_path: Path) -> None:
    """Also what JSON knows no word for, options, and the spans of answers."""
    from transformers.utils.chat_template_utils import render_jinja_template

    def weather(city: str) -> str:
        """The weather.

        Args:
            city: Where.
        """
        return city

    marked = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
        "{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}"
        "{{ tools | tojson if tools }}{{ thinking }}"
    )
    odd = [
        {"role": "user", "content": "\ud83d ẞ 👩‍👧 \u2028"},
        {"role": "assistant", "content": "x"},
    ]
    for options in (
        {"chat_template": CHAT_TEMPLATE},
        {"chat_template": CHAT_TEMPLATE, "add_generation_prompt": True},
        {"chat_template": marked, "return_assistant_tokens_mask": True, "bos_token": "<s>"},
        {"chat_template": marked, "tools": [weather], "thinking": True},
        {"chat_template": CHAT_TEMPLATE, "continue_final_message": True},
    ):
        for chat in (CHAT, odd):
            asked: dict[str, Any] = {"conversations": [chat, chat], **options}
            texts, spans = render_jinja_template(**asked)
            found = templates.render_jinja_template(**asked)
            assert found == (texts, [[tuple(span) for span in each] for each in spans])


def test_a_killed_child_is_started_again() -> None:
    asked = {"conversations": [CHAT], "chat_template": CHAT_TEMPLATE}
    first = templates.render_jinja_template(**asked)
    process = templates.child.process
    assert process is not None
    psutil.Process(process.pid).kill()
    process.wait()
    assert templates.render_jinja_template(**asked) == first


def test_a_fork_has_a_child_of_its_own() -> None:
    asked = {"conversations": [CHAT], "chat_template": CHAT_TEMPLATE}
    first = templates.render_jinja_template(**asked)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, b"same" if templates.render_jinja_template(**asked) == first else b"no")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read() == b"same"
    assert templates.render_jinja_template(**asked) == first


def test_a_chat_with_a_hostile_model_ends_with_a_sentence(llama_folder: Path, quick: None) -> None:
    (llama_folder / "chat_template.jinja").write_text(LOOP)
    model = MaxHuggingFaceLLM(llama_folder, device="cpu")
    with pytest.raises(FineTuneError) as caught:
        model.chat(CHAT[:1])
    assert "template" in caught.value.message
    assert caught.value.hint


def test_prompts_are_encoded_as_before(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, CHAT_TEMPLATE)
    encoded = encode_prompt(tokenizer, CHAT[:1])
    expected = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(encoded["input_ids"][0]) == expected


def test_nobody_renders_past_the_child() -> None:
    """The function of this name in transformers renders here and now."""
    direct = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "maxaillm").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("transformers")
        and "render_jinja_template" in {alias.name for alias in node.names}
    ]
    assert direct == ["maxaillm/dev/finetune/hf/templates/child.py"]
