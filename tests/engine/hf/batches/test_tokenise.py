"""What is seen and what is learned, to the token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.hf.batches.chat_template import encode_prompt, template_of
from maxaillm.dev.finetune.hf.batches.rows import IGNORED
from maxaillm.dev.finetune.hf.batches.tokenise import Tokenised
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalEncoder
from tests import tiny


@pytest.fixture(params=[True, False], ids=["own template", "plain template"])
def tokenizer(request: Any, tmp_path: Path) -> Tokenizer:
    return load_tokenizer(tiny.save_tokenizer(tmp_path, chat_template=request.param))


def chat(*turns: str, weights: dict[int, float] | None = None) -> Conversation:
    roles = ("user", "assistant")
    return Conversation(
        messages=[
            Message(role=roles[n % 2], content=text, weight=(weights or {}).get(n))
            for n, text in enumerate(turns)
        ]
    )


def encode(
    tokenizer: Tokenizer, *examples: Any, train_on: str = "answers", width: int = 512
) -> Tokenised:
    return CausalEncoder(tokenizer, width, train_on).encode(examples)


def learned_text(tokenizer: Tokenizer, found: Tokenised, row: int = 0) -> str:
    ids, labels = found.rows[row]
    return str(tokenizer.decode(ids[labels != IGNORED].tolist()))


def test_only_answers_with_their_end_are_learned(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, chat("Hi?", "Héllo 🙂", "More?", "No."))
    end = tokenizer.eos_token
    assert learned_text(tokenizer, found).replace(" ", "") == f"Héllo🙂{end}No.{end}"


def test_a_turn_of_weight_0_is_seen_but_not_learned(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, chat("Hi?", "Bad.", "More?", "Good.", weights={1: 0}))
    assert learned_text(tokenizer, found).strip() == f"Good.{tokenizer.eos_token}"
    assert "Bad." in tokenizer.decode(found.rows[0][0].tolist())


def test_all_tokens_are_learned_where_that_is_asked_for(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, chat("Hi?", "Yes."), train_on="all")
    ids, labels = found.rows[0]
    assert labels[0] == IGNORED
    assert labels[1:].tolist() == ids[1:].tolist()
    assert len(ids) == len(labels)


def test_training_sees_the_prompt_that_inference_writes(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, chat("What is it?", "A test."))
    ids, labels = found.rows[0]
    prompt = encode_prompt(tokenizer, [{"role": "user", "content": "What is it?"}])
    start = int((labels != IGNORED).argmax())
    assert ids[:start].tolist() == prompt["input_ids"][0].tolist()


def test_marks_of_a_template_and_rendering_find_the_same(tmp_path: Path) -> None:
    marked = load_tokenizer(tiny.save_tokenizer(tmp_path, chat_template=False))
    plain = load_tokenizer(tmp_path)
    template = template_of(marked)
    plain.chat_template = template.replace("{% generation %}", "").replace(
        "{% endgeneration %}", ""
    )
    example = chat("One?", "1.", "Two?", "2.")
    first, second = encode(marked, example), encode(plain, example)
    assert first.rows[0][0].tolist() == second.rows[0][0].tolist()
    assert first.rows[0][1].tolist() == second.rows[0][1].tolist()


def test_text_learns_every_token_and_its_end(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, Text(text="red blue"))
    ids, labels = found.rows[0]
    assert ids[-1] == tokenizer.eos_token_id
    assert labels.tolist() == [IGNORED, *ids[1:].tolist()]


def test_a_long_text_is_cut_into_rows_that_learn_each_token_once(tokenizer: Tokenizer) -> None:
    text = "".join(chr(97 + n % 26) for n in range(100))
    found = encode(tokenizer, Text(text=text), width=16)
    assert max(found.rows.lengths) == 16
    learned = [token for n in range(len(found.rows)) for token in found.rows[n][0][1:].tolist()]
    assert learned == [*tokenizer(text).input_ids[1:], tokenizer.eos_token_id]
    assert found.facts["cut_rows"] == 0


def test_what_is_cut_and_what_is_dropped_is_counted(tokenizer: Tokenizer) -> None:
    found = encode(tokenizer, chat("a" * 90, "b"), chat("c", "d" * 200), chat("e", "f"), width=64)
    facts = found.facts
    assert (facts["rows"], facts["cut_rows"], facts["dropped_rows"]) == (3, 2, 1)
    assert len(found.rows) == 2


def test_a_refused_conversation_is_dropped_and_counted(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny.save_tokenizer(tmp_path))
    tokenizer.chat_template = "{{ raise_exception('no system here') }}"
    found = encode(tokenizer, chat("a", "b"))
    assert found.dropped == {"no system here": 1}


def test_holding_out_takes_whole_examples_and_is_the_same_each_time(tokenizer: Tokenizer) -> None:
    rows = encode(tokenizer, *(Text(text="x" * 40) for _ in range(20)), width=16).rows
    train, held = rows.hold_out(0.2, seed=1)
    again, _ = rows.hold_out(0.2, seed=1)
    other, _ = rows.hold_out(0.2, seed=2)
    assert len(set(held.examples.tolist())) == 4
    assert not set(held.examples.tolist()) & set(train.examples.tolist())
    assert train.examples.tolist() == again.examples.tolist() != other.examples.tolist()
