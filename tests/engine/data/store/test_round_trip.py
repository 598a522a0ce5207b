"""Whatever a format reads, the stored example is read back as the same example."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.formats import DataFormat, formats, recognise, stored_format
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.rows.values import is_blank
from tests.engine.data.formats.family_rows import node

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: not is_blank(text)
)
NUMBER = st.floats(-9e37, 9e37)
LABEL = TEXT | st.integers() | NUMBER.map(str)


def message(role: str, key: str = "role", word: str = "content") -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({key: st.just(role), word: TEXT})


ANSWER = message("assistant")
TALK = st.lists(st.tuples(message("user"), ANSWER), min_size=1, max_size=2).map(
    lambda pairs: [turn for pair in pairs for turn in pair]
)
SHAREGPT = st.tuples(message("human", "from", "value"), message("gpt", "from", "value")).map(list)
ASKED = TALK.map(lambda chat: chat[:-1])
EXCHANGE = st.fixed_dictionaries({"input": TEXT, "output": TEXT})
WORDS = st.lists(st.tuples(TEXT, TEXT | st.integers()), min_size=1, max_size=4)
ANSWERS = st.lists(st.fixed_dictionaries({"text": TEXT}), min_size=1, max_size=2)
ASKED_ABOUT = st.fixed_dictionaries({"question": TEXT, "answers": ANSWERS})
PARAGRAPH = st.fixed_dictionaries({"context": TEXT, "qas": st.tuples(ASKED_ABOUT).map(list)})
RANKED = st.lists(st.fixed_dictionaries({"answer": TEXT, "rank": NUMBER}), min_size=2, max_size=3)
PARTS = st.fixed_dictionaries({"text": TEXT}).map(lambda part: [part])
SAID = [st.fixed_dictionaries({"role": st.just(who), "parts": PARTS}) for who in ("user", "model")]
READ, LEARNED = (
    st.fixed_dictionaries({"label": st.just(label), "text": TEXT}) for label in (False, True)
)
ANSWERED = ANSWER.map(lambda message: {"choices": [{"message": message}]})
BEDROCK = [
    st.fixed_dictionaries({"role": st.just(who), "content": PARTS}) for who in ("user", "assistant")
]
BEDROCK_VERSION = st.just("bedrock-conversation-2024")
MARKED = {"type": "labels", "value": {"start": 0, "end": 1, "labels": ["A"]}}
TREE = st.tuples(TEXT, TEXT).map(
    lambda said: {"a": node("user", said[0], "", "b"), "b": node("assistant", said[1], "a")}
)
DATA = st.fixed_dictionaries({"text": TEXT})
CELLS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "api_log": {"request": st.fixed_dictionaries({"messages": ASKED}), "response": ANSWERED},
    "bedrock": {"messages": st.tuples(*BEDROCK).map(list), "schemaVersion": BEDROCK_VERSION},
    "chatgpt": {"mapping": TREE, "current_node": st.just("b")},
    "claude": {
        "chat_messages": st.tuples(
            message("human", "sender", "text"), message("assistant", "sender", "text")
        ).map(list)
    },
    "entity_spans": {"text": TEXT, "entities": st.just([[0, 1, "A"]])},
    "label_studio_choices": {
        "data": DATA,
        "annotations": TEXT.map(
            lambda label: [{"result": [{"type": "choices", "value": {"choices": [label]}}]}]
        ),
    },
    "label_studio_entities": {"data": DATA, "annotations": st.just([{"result": [MARKED]}])},
    "chat_pair": {"prompt": ASKED, "completion": TEXT},
    "classification": {"text": TEXT, "label": LABEL, "pair": TEXT},
    "conversation": {"conversations": st.lists(EXCHANGE, min_size=1, max_size=2)},
    "conversation_tree": {"id": TEXT, "instruction": TEXT, "output": TEXT, "parent_id": st.none()},
    "extractive_qa": {"context": TEXT, "question": TEXT, "answers": ANSWERS},
    "gemini": {"contents": st.tuples(*SAID).map(list)},
    "instruction": {"instruction": TEXT, "output": TEXT},
    "kiln": {"input": TEXT, "output": TEXT, "reasoning": TEXT | st.just("")},
    "label_columns": {"text": TEXT, "new": st.sampled_from([0, 1]), "good": st.booleans()},
    "messages": {"messages": TALK},
    "multi_label": {"text": TEXT, "labels": st.lists(TEXT, unique_by=str.strip, max_size=3)},
    "multiple_choice": {
        "question": TEXT,
        "choices": st.lists(TEXT, min_size=2, max_size=3),
        "answer": TEXT | st.integers(0, 1),
    },
    "preference": {"prompt": TEXT | ASKED, "chosen": TEXT, "rejected": TEXT | st.tuples(ANSWER)},
    "prompt_completion": {"prompt": TEXT, "completion": TEXT},
    "ranked_answers": {"prompt": TEXT | ASKED, "answers": RANKED},
    "reflection": dict.fromkeys(("instruction", "output", "reflection", "corrected"), TEXT),
    "regression": {"text": TEXT, "score": NUMBER | NUMBER.map(str) | st.integers(-9, 9)},
    "segments": {"segments": st.tuples(READ, LEARNED).map(list)},
    "self_instruct": {"instruction": TEXT, "instances": st.tuples(EXCHANGE).map(list)},
    "sharegpt": {"conversations": SHAREGPT},
    "squad": {"paragraphs": st.tuples(PARAGRAPH).map(list)},
    "stepwise": {
        "prompt": TEXT | ASKED,
        "completions": st.tuples(TEXT).map(list),
        "labels": st.tuples(st.booleans()).map(list),
    },
    "text": {"text": TEXT},
    "translation": {"translation": st.fixed_dictionaries({"en": TEXT, "de": TEXT})},
    "unpaired_preference": {"prompt": TEXT | ASKED, "completion": TEXT, "label": st.booleans()},
}
"""What may stand in the columns of each format."""
OPTIONS: dict[str, dict[str, Any]] = {
    "classification": {"pair": "pair"},
    "kiln": {"reasoning": "reasoning"},
    "label_columns": {"classes": ("new", "good")},
    "preference": {"prompt": "prompt"},
    "unpaired_preference": {"prompt": "prompt"},
}
FORMATS: dict[str, DataFormat] = {
    name: cls.model_validate(OPTIONS.get(name, {})) for name, cls in formats.items()
}


@st.composite
def rows_of(draw: st.DrawFn, name: str) -> dict[str, Any]:
    if name == "token_classification":
        tokens, tags = zip(*draw(WORDS), strict=True)
        return {"tokens": list(tokens), "tags": list(tags)}
    return draw(st.fixed_dictionaries(CELLS[name]))


@pytest.mark.parametrize("name", formats)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_stored_examples_are_read_back_equal(tmp_path, name, data):
    read = FORMATS[name]
    rows = data.draw(st.lists(rows_of(name), min_size=1, max_size=3))
    assume(all(read.check(row) is None for row in rows))
    examples = [read.to_example(row) for row in rows]
    assert {type(example) for example in examples} == {read.gives}
    path = tmp_path / "rows.jsonl"
    lines = [example.model_dump_json(exclude_none=True) for example in examples]
    path.write_text("".join(f"{line}\n" for line in lines))
    assert list(read_examples(path)) == examples
    own = stored_format([json.loads(line) for line in lines])
    assert own is not None
    assert own.gives is read.gives


@pytest.mark.parametrize("label", ["0.5", " ".join(["an answer"] * 30), "[]", "true"])
def test_a_chosen_label_stays_a_label(tmp_path, label):
    """What the columns are was said once; how the values look does not change it."""
    path = tmp_path / "rows.jsonl"
    stored = Classification(text="a", label=label)
    path.write_text(stored.model_dump_json(exclude_none=True) + "\n")
    assert list(read_examples(path)) == [stored]


@pytest.mark.parametrize("name", formats)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rows_with_its_own_names_are_recognised(name, data):
    row = data.draw(rows_of(name))
    assume(FORMATS[name].check(row) is None)
    assert name in {match.name for match in recognise([row] * 2)} or has_other_reading(row)


def has_other_reading(row: dict[str, Any]) -> bool:
    """Labels may look like amounts, and lists of 0 and 1 like places."""
    return not {"label", "labels"}.isdisjoint(row)
