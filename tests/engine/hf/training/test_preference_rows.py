"""Preferences become the tokens that the same conversations are in other tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.hf.batches.collate import BatchLayout, Sequences
from maxaillm.dev.finetune.hf.batches.rows import IGNORED
from maxaillm.dev.finetune.hf.batches.tokenise import Tokenised
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalEncoder
from maxaillm.dev.finetune.hf.training.tasks.preference.batches import (
    FixedOrder,
    PreferenceCollator,
)
from maxaillm.dev.finetune.hf.training.tasks.preference.rows import PreferenceEncoder, answers_in


def said(*contents: str, first: str = "user") -> list[Message]:
    roles = ["user", "assistant"] if first == "user" else ["assistant", "user"]
    return [Message(role=roles[i % 2], content=text) for i, text in enumerate(contents)]  # type: ignore[arg-type]


def preference(prompt: list[Message], chosen: str, rejected: str) -> Preference:
    return Preference(
        messages=prompt,
        chosen=said(chosen, first="assistant"),
        rejected=said(rejected, first="assistant"),
    )


PROMPT = said("Red?", "Yes.", "And blue?")


def encode(folder: Path, examples: list[Any], width: int = 512) -> Tokenised:
    return PreferenceEncoder(load_tokenizer(folder), width).encode(examples)


@pytest.mark.parametrize("family", ["llama", "gpt2"])  # with a chat template, and without
def test_answers_are_written_as_in_any_conversation(family: str, request: Any) -> None:
    folder = request.getfixturevalue(family)
    found = encode(folder, [preference(PROMPT, "Blue too.", "No.")])
    silent = [message.model_copy(update={"weight": 0}) for message in PROMPT]
    chats = [
        Conversation(messages=[*silent, *said(text, first="assistant")])
        for text in ("Blue too.", "No.")
    ]
    plain = CausalEncoder(load_tokenizer(folder), 512, "answers").encode(chats)
    for place, answer in enumerate(answers_in(found.rows, 0)):
        ids, labels = plain.rows[place]
        assert answer.ids.tolist() == ids.tolist()
        assert answer.labels.tolist() == labels.tolist()
        assert answer.is_good == (place == 0)
    assert found.facts["trained_tokens"] == plain.facts["trained_tokens"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_answer_ends_with_eos_and_the_prompt_is_not_learned(family: str, request: Any) -> None:
    tokenizer = load_tokenizer(request.getfixturevalue(family))
    example = UnpairedPreference(
        messages=PROMPT, completion=said("Blue too.", first="assistant"), desirable=False
    )
    found = PreferenceEncoder(tokenizer, 512).encode([example])
    (answer,) = answers_in(found.rows, 0)
    learned = answer.ids[answer.labels != IGNORED]
    assert tokenizer.decode(learned).strip() == f"Blue too.{tokenizer.eos_token}"
    assert learned[-1] == tokenizer.eos_token_id
    assert not answer.is_good


def test_what_is_cut_or_left_out_is_counted_with_its_reason(llama: Path) -> None:
    examples = [
        preference(said("Red?"), "Yes.", "No."),
        preference(said("Red?"), "Yes. " * 40, "No."),
        preference(said("Red?" * 40), "Yes.", "No."),
        preference(said("Red?"), "The same.", "The same."),
        preference(said("Red?"), "So it is, " * 20 + "yes.", "So it is, " * 20 + "no."),
    ]
    found = encode(llama, examples, width=100)
    assert found.seen == 5
    assert found.rows.examples.tolist() == [0, 1]
    assert found.cut == 1
    assert dict(found.dropped) == {
        "The prompt alone fills the maximum length.": 1,
        "Both answers are the same, as far as the maximum length reaches.": 2,
    }
    assert max(len(answer.ids) for answer in answers_in(found.rows, 1)) == 100


def test_a_conversation_that_the_template_refuses_is_left_out(llama: Path) -> None:
    tokenizer = load_tokenizer(llama)
    tokenizer.chat_template = (
        "{% if messages[-1].content == 'Bad.' %}{{ raise_exception('No bad words.') }}{% endif %}"
        + tokenizer.chat_template
    )
    examples = [preference(PROMPT, "Good.", "Bad."), preference(PROMPT, "Good.", "Fine.")]
    found = PreferenceEncoder(tokenizer, 512).encode(examples)
    assert found.rows.examples.tolist() == [1]
    assert dict(found.dropped) == {"No bad words.": 1}


@pytest.fixture
def collator(llama: Path) -> PreferenceCollator:
    examples = [preference(said(f"{i}?" * (i + 1)), f"A{i}" * 3, f"B{i}") for i in range(5)]
    return PreferenceCollator(encode(llama, examples).rows, 0, mismatched=True)


def test_each_prompt_meets_the_answer_to_another(llama: Path, collator: PreferenceCollator) -> None:
    batch = collator([[0], [1], [2]])
    tokenizer = load_tokenizer(llama)

    def written(ids: Any, mask: Any) -> str:
        return str(tokenizer.decode(ids[mask == 1]))

    for row in range(3):
        for side in range(2):
            own = written(batch["input_ids"][row, side], batch["attention_mask"][row, side])
            other = written(batch["mismatched_ids"][row, side], batch["mismatched_mask"][row, side])
            prompt = own[: own.rindex("assistant")]
            assert other.startswith(prompt)
            assert f"A{row}" not in other
            assert f"B{row}" not in other


def test_rows_of_a_batch_stay_together_and_steps_change_places(
    collator: PreferenceCollator,
) -> None:
    sequences = Sequences(collator.rows, packed=False, width=512)
    order = FixedOrder(sequences, BatchLayout(2), 7, collator)
    epochs = []
    for epoch in range(8):
        order.set_epoch(epoch)
        epochs.append([tuple(batch) for batch in order])
    assert len({frozenset(batches) for batches in epochs}) == 1
    assert len(set(map(tuple, epochs))) > 1
    assert sorted(np.concatenate(epochs[0])) == [0, 1, 2, 3, 4]
