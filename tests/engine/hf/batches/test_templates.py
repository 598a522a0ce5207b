"""What reaches a model of a chat: tools, thoughts and turns in any order, and only text as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.hf.batches.chat_template import encode_prompt
from maxaillm.dev.finetune.hf.batches.rows import IGNORED
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Tokenised
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalEncoder
from tests import tiny

ABLE = """\
{%- if tools %}<|im_start|>tools
{{ tools | tojson }}<|im_end|>
{% endif %}
{%- for m in messages -%}
<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}
{%- for call in m.tool_calls or [] %}[{{ call.function.name }} {{ call.function.arguments | tojson }}]
{%- endfor %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""  # noqa: E501
"""A template that knows it all, as Qwen's and those after it do."""
STRICT = """\
{%- for m in messages -%}
{%- if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate') }}{%- endif -%}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""
FORGETFUL = """\
{%- if messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif -%}
{%- for m in messages if m.role != 'system' -%}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""
"""It leaves out what the system says later."""
TOOLS = '[{"type": "function", "function": {"name": "remind"}}]'
CALL = {"id": "c1", "name": "remind", "arguments": '{"time": 3600, "loud": true}'}
CALLED = [
    {"role": "user", "content": "wake me"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "ok", "tool_call_id": "c1"},
    {"role": "assistant", "content": "Set."},
]
ASK = {"role": "user", "content": "?"}
THOUGHT = [
    {"role": "user", "content": "17+25?"},
    {"role": "assistant", "content": "42", "reasoning": "17+20+5"},
]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(tiny.save_tokenizer(tmp_path))


def said(*spoken: tuple[str, str]) -> Conversation:
    return Conversation(messages=[{"role": role, "content": text} for role, text in spoken])


def encoder(tokenizer: Tokenizer, template: str = "", **told: Any) -> Encoder:
    tokenizer.chat_template = template or tokenizer.chat_template
    made = CausalEncoder(tokenizer, 512, "answers")
    for name, value in told.items():
        setattr(made, name, value)
    return made


def seen(tokenizer: Tokenizer, found: Tokenised) -> str:
    return str(tokenizer.decode(found.rows[0][0].tolist()))


def learned(tokenizer: Tokenizer, found: Tokenised) -> str:
    ids, labels = found.rows[0]
    return str(tokenizer.decode(ids[labels != IGNORED].tolist()))


def test_a_template_gets_tools_and_calls_as_objects(tokenizer: Tokenizer) -> None:
    found = encoder(tokenizer, ABLE).encode([Conversation(messages=CALLED, tools=TOOLS)])
    text = seen(tokenizer, found)
    assert f"tools\n{TOOLS}<|im_end|>" in text
    assert '[remind {"time": 3600, "loud": true}]' in text
    assert "tool\nok" in text
    assert not found.in_texts
    end = "<|im_end|>"
    assert learned(tokenizer, found) == f"[remind {CALL['arguments']}]{end}Set.{end}"


def test_what_a_template_has_no_place_for_stands_in_a_text_and_is_said(
    tokenizer: Tokenizer,
) -> None:
    found = encoder(tokenizer).encode([Conversation(messages=CALLED, tools=TOOLS)])
    text = seen(tokenizer, found)
    assert TOOLS in text
    assert '"arguments": {"time": 3600, "loud": true}' in text
    assert found.in_texts == {"tools": 1, "tool calls": 1}


def test_inference_writes_the_prompt_that_training_saw(tokenizer: Tokenizer) -> None:
    for template in (ABLE, tiny.CHAT_TEMPLATE):
        found = encoder(tokenizer, template).encode([Conversation(messages=CALLED, tools=TOOLS)])
        ids = found.rows[0][0].tolist()
        asked = [{**CALLED[0]}, CALLED[1] | {"tool_calls": [{"function": CALL, "id": "c1"}]}]
        prompt = encode_prompt(tokenizer, [*asked, CALLED[2]], TOOLS)["input_ids"][0].tolist()
        assert ids[: len(prompt)] == prompt


@pytest.mark.parametrize("template", [ABLE, tiny.CHAT_TEMPLATE])
def test_reasoning_is_learned_or_only_read(tokenizer: Tokenizer, template: str) -> None:
    chat = Conversation(messages=THOUGHT)
    both = encoder(tokenizer, template).encode([chat])
    assert "17+20+5" in learned(tokenizer, both)
    answer = encoder(tokenizer, template, learns_reasoning=False).encode([chat])
    assert seen(tokenizer, answer) == seen(tokenizer, both)
    assert "17+20+5" not in learned(tokenizer, answer)
    assert "42<|im_end|>" in learned(tokenizer, answer)


def test_thoughts_within_an_answer_are_only_read_too(tokenizer: Tokenizer) -> None:
    chat = said(("user", "5+5?"), ("assistant", "<think>ten fingers</think>10"))
    found = encoder(tokenizer, learns_reasoning=False).encode([chat])
    assert "ten fingers" not in learned(tokenizer, found)
    assert learned(tokenizer, found).endswith("10<|im_end|>")


@pytest.mark.parametrize(
    "spoken",
    [
        [("system", "s1"), ("user", "q1"), ("assistant", "a1"), ("system", "s2"), ("user", "q2"),
         ("assistant", "a2")],
        [("assistant", "Hello!"), ("user", "q1"), ("assistant", "a1")],
        [("user", "q1"), ("user", "q2"), ("assistant", "a1"), ("assistant", "a2")],
    ],
)  # fmt: skip
def test_turns_stay_in_their_order(tokenizer: Tokenizer, spoken: list[tuple[str, str]]) -> None:
    text = seen(tokenizer, encoder(tokenizer).encode([said(*spoken)]))
    places = [text.index(word) for _, word in spoken]
    assert places == sorted(places)


def test_a_turn_that_a_template_forgets_is_named(tokenizer: Tokenizer) -> None:
    chat = said(("user", "q1"), ("system", "Rentals are closed."), ("assistant", "Sorry."))
    found = encoder(tokenizer, FORGETFUL).encode([chat])
    (reason,) = found.dropped
    assert "turn 2 (system)" in reason
    assert "Put system prompts into questions" in found.hints[reason]


@pytest.mark.parametrize(
    ("spoken", "fix"),
    [
        ([("system", "s"), ("user", "q"), ("assistant", "a")], "Remove system prompts"),
        ([("user", "q"), ("user", "r"), ("assistant", "a")], "Join turns"),
        ([("user", "q"), ("system", "s"), ("assistant", "a")], "Put system prompts into questions"),
    ],
)
def test_the_hint_is_a_fix_that_helps(
    tokenizer: Tokenizer, spoken: list[tuple[str, str]], fix: str
) -> None:
    found = encoder(tokenizer, STRICT).encode([said(*spoken)])
    ((reason, hint),) = found.hints.items()
    assert found.dropped == {reason: 1}
    assert fix in hint
    assert "max_length" not in hint


def test_a_row_that_is_cut_before_its_answer_has_another_hint(tokenizer: Tokenizer) -> None:
    made = CausalEncoder(tokenizer, 32, "answers")
    found = made.encode([said(("user", "q" * 60), ("assistant", "a"))])
    assert "data.max_length" in next(iter(found.hints.values()))
    assert found.facts["cut_rows"] == 1
    assert found.facts["cut_tokens"] > 30


def test_control_words_in_texts_are_text(tokenizer: Tokenizer) -> None:
    words = "Is <|im_end|> <|im_start|>assistant a word?"
    chat = said(("user", words), ("assistant", 'return "<|im_end|>"'))
    harmless = said(("user", words.replace("<|", "<+")), ("assistant", 'return "<+im_end|>"'))
    control = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])

    def marks(found: Tokenised) -> int:
        return sum(token in control for token in found.rows[0][0].tolist())

    found = encoder(tokenizer).encode([chat])
    assert marks(found) == marks(encoder(tokenizer).encode([harmless])) == 4
    assert words in seen(tokenizer, found)
    assert learned(tokenizer, found) == 'return "<|im_end|>"<|im_end|>'
    assert marks(encoder(tokenizer, keeps_text=False).encode([chat])) == 7
    asked = encode_prompt(tokenizer, [{"role": "user", "content": words}])
    prompt = asked["input_ids"][0].tolist()
    assert found.rows[0][0].tolist()[: len(prompt)] == prompt


def test_control_words_in_documents_are_text(tokenizer: Tokenizer) -> None:
    text = Text(text="a <|im_end|> b")
    ends = (encoder(tokenizer).encode([text]), encoder(tokenizer, keeps_text=False).encode([text]))
    counts = [found.rows[0][0].tolist().count(tokenizer.eos_token_id) for found in ends]
    assert counts == [1, 2]


def test_an_answer_of_half_a_weight_is_learned_whole_and_counted(tokenizer: Tokenizer) -> None:
    chats = [
        Conversation(messages=[ASK, {"role": "assistant", "content": "ok", "weight": weight}])
        for weight in (0.5, 1, None, 0)
    ]
    found = encoder(tokenizer).encode(chats)
    assert (len(found.rows), found.partial) == (3, 1)
    assert len({tuple(found.rows[row][1]) for row in range(3)}) == 1
