"""Every family of datasets: recognised by one format alone, read right, or refused in words."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.formats import formats, recognise, stored_format
from maxaillm.dev.finetune.data.reading.recognition import NeedsMappingError, format_of
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.formats.family_rows import ASKED, FAMILIES, GOOD, GPT, HUMAN, POOR

SPELLINGS = [
    pytest.param(name, row, example, id=f"{name}: {' '.join(row)}")
    for name, rows in FAMILIES.items()
    for row, example in rows
]


def read(row):
    """The one format of a file of such rows, and the example that it makes of one."""
    found = format_of([row] * 4)
    (only,) = found.unfolder()(row)
    assert found.check(only) is None
    return found, found.to_example(only)


def test_every_format_is_tried():
    assert set(FAMILIES) == set(formats)


@pytest.mark.parametrize(("name", "row", "example"), SPELLINGS)
def test_one_format_recognises_it_and_reads_it_right(name, row, example):
    found, got = read(row)
    assert (found.name, type(got)) == (name, found.gives)
    if name == "chat_pair":
        assert [turn.content for turn in got.messages] == ["Hi", "Yo"]
    assert got == example


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
@pytest.mark.parametrize(("name", "row", "example"), SPELLINGS)
def test_cells_of_a_table_are_parsed_first(name, row, example, write):
    texts = {
        key: value if isinstance(value, str) else "" if value is None else write(value)
        for key, value in row.items()
    }
    found, got = read(texts)
    assert found.name == name
    assert got == example


@pytest.mark.parametrize(("name", "row", "example"), SPELLINGS)
def test_stored_examples_are_read_back(name, row, example):
    stored = json.loads(example.model_dump_json(exclude_none=True))
    again = stored_format([stored] * 4)
    assert again is not None
    assert again.to_example(stored) == example


@pytest.mark.parametrize(("name", "row", "example"), SPELLINGS)
def test_mixed_types_and_broken_rows_do_not_hide_it(name, row, example):
    strange = [{}, dict.fromkeys(row), dict.fromkeys(row, 3), {key: [None] for key in row}]
    found = format_of([row] * 40 + strange)
    assert found.name == name
    for each in strange:
        for only in found.unfolder()(each):
            assert found.check(only) is not None


REFUSED = [
    ({"input_ids": [1, 2], "attention_mask": [1, 1], "labels": [-100, 2]}, "pre-tokenised"),
    ({"premise": "a", "hypothesis": "b"}, "pairs of sentences"),
    ({"anchor": "a", "positive": "b"}, "embedding"),
    ({"anchor": "a", "positive": "b", "negative": "c"}, "embedding"),
    ({"query": "a", "pos": ["b"], "neg": ["c"]}, "embedding"),
    ({"prompt": "Hi"}, "prompts without answers"),
    ({"prompt": ASKED, "id": 3}, "prompts without answers"),
    ({"messages": ASKED}, "prompts without answers"),
    ({"messages": ASKED, "grader_notes": "short"}, "prompts without answers"),
    ({"question_id": 81, "category": "math", "turns": ["Hi", "And?"]}, "prompt set"),
    ({"key": 1, "prompt": "Hi", "instruction_id_list": ["a"], "kwargs": [{}]}, "prompt set"),
    ({"instruction": "Hi", "dataset": "helpful"}, "prompt set"),
    ({"custom_id": "a", "method": "POST", "url": "/v1", "body": {"messages": ASKED}}, "requests"),
    ({"custom_id": "a", "response": {"body": {"choices": []}}, "error": None}, "results"),
    ({"custom_id": "a", "params": {"messages": ASKED}}, "requests of a batch"),
    ({"custom_id": "a", "result": {"type": "succeeded", "message": {}}}, "results of a batch"),
    ({"tag": "greet", "patterns": ["Hi"], "responses": ["Yo"]}, "intents"),
    ({"sentence #": "1", "word": "Hi", "pos": "UH", "tag": "O"}, "long table"),
    ({"text": "__label__a Hi"}, "fastText"),
    ({"id": 1, "data": {"text": "Hi"}, "annotations": [], "predictions": []}, "annotated"),
    ({"filename": "a.png", "file_attributes": {}, "regions": []}, "images"),
    ({"message_id": "a", "parent_id": None, "text": "Hi", "role": "prompter"}, "tree of single"),
    ({"messages": ASKED + GOOD, "images": ["a.png"]}, "images"),
    ({"conversations": [HUMAN, GPT], "audios": ["a.wav"]}, "sound"),
]


@pytest.mark.parametrize(("row", "words"), REFUSED, ids=[" ".join(row) for row, _ in REFUSED])
def test_what_no_format_can_read_is_refused_with_the_next_step(row, words):
    with pytest.raises(DataError, match=words) as refused:
        format_of([row] * 4)
    assert refused.value.code == "unsupported_format"
    assert len(refused.value.hint.split()) > 8


CHAT = ASKED + GOOD
COLLISIONS = [
    ({"prompt": "Hi", "completion": "Yo", "label": False}, "unpaired_preference"),
    ({"text": "Hi", "label": False}, "classification"),
    ({"input": "Hi", "output": "Yo"}, "prompt_completion"),
    ({"instruction": "Hi", "input": "a", "output": "Yo"}, "instruction"),
    ({"question": "Hi", "context": "a", "answers": {"text": ["Yo"]}}, "extractive_qa"),
    ({"question": "Hi", "context": "a", "answer": "Yo"}, "prompt_completion"),
    ({"prompt": "Hi", "text": "Yo", "rejected_text": "No"}, "preference"),
    ({"messages": CHAT, "split": "train"}, "messages"),
    ({"messages": json.dumps(CHAT)}, "messages"),
    ({"prompt": json.dumps(ASKED), "completion": "Yo"}, "chat_pair"),
    ({"prompt": "Hi", "completion": '{"a": 1}'}, "prompt_completion"),
    ({"prompt": "[1, 2]", "completion": "[2, 1]"}, "prompt_completion"),
    ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}],
      "chosen": GPT, "rejected": HUMAN}, "preference"),
    ({"id": 1, "parent_id": "", "instruction": "Hi", "input": "", "output": "Yo"},
     "conversation_tree"),
    ({"prompt": "Hi", "completions": ["a"], "labels": [True], "completion": "Yo"}, None),
    ({"text": "Hi", "messages": CHAT}, None),
    ({"text": "Hi", "prompt": "a", "completion": "b", "messages": CHAT}, None),
    ({"messages": ASKED, "expected_output": "a", "reference_code": "b"}, None),
    ({"prompt": "Hi", "completion": "Yo", "question": "a", "choices": ["b"], "answer": 0}, None),
]  # fmt: skip


@pytest.mark.parametrize(("row", "name"), COLLISIONS, ids=[" ".join(row) for row, _ in COLLISIONS])
def test_what_could_be_several_things_is_decided_or_asked(row, name):
    if name is not None:
        assert format_of([row] * 4).name == name
        return
    with pytest.raises(NeedsMappingError) as asked:
        format_of([row] * 4)
    names = [candidate.name for candidate in asked.value.candidates]
    assert names == [match.name for match in recognise([row] * 4)]
    assert asked.value.hint


def test_answers_given_earlier_are_not_learned_again():
    chat = CHAT + ASKED
    _, example = read({"prompt": chat, "completion": "Well"})
    assert [turn.weight for turn in example.messages] == [None, 0, None, None]


def test_a_worse_answer_to_another_prompt_is_refused():
    row = {"prompt": "Hi", "chosen": "Yo", "rejected": "No", "rejected_prompt": "Ho"}
    assert format_of([row] * 4).check(row).code == "two_prompts"


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("multiple_choice", {"answer": 2}, "no_choice"),
        ("multiple_choice", {"answer": -1}, "no_choice"),
        ("multiple_choice", {"answer": None}, "null"),
        ("multiple_choice", {"answer": True}, "wrong_type"),
        ("multiple_choice", {"choices": []}, "wrong_type"),
        ("multiple_choice", {"choices": ["a", 3]}, "wrong_type"),
        ("multiple_choice", {"question": ""}, "empty"),
        ("segments", {"segments": [{"label": True, "text": "a"}]}, "no_prompt"),
        ("segments", {"segments": [{"label": False, "text": "a"}]}, "no_answer"),
        ("segments", {"segments": [{"label": "yes", "text": "a"}]}, "wrong_type"),
        ("segments", {"segments": ["a"]}, "wrong_type"),
        ("segments", {"segments": []}, "empty"),
        ("stepwise", {"labels": [True, True]}, "label_count"),
        ("stepwise", {"labels": ["perhaps"]}, "wrong_type"),
        ("stepwise", {"completions": [" "]}, "empty"),
        ("stepwise", {"prompt": None}, "null"),
        ("ranked_answers", {"answers": [{"answer": "Yo", "rank": 1}]}, "no_difference"),
        ("ranked_answers", {"answers": [{"answer": "Yo", "rank": 1}] * 2}, "no_difference"),
        ("ranked_answers", {"answers": [{"answer": "Yo", "rank": "a"}]}, "wrong_type"),
        ("ranked_answers", {"answers": [{"answer": "", "rank": 1}]}, "empty"),
        ("ranked_answers", {"prompt": CHAT}, "answered_prompt"),
        ("gemini", {"contents": [{"role": "user", "parts": [{"inlineData": {}}]}]}, "not_text"),
        ("gemini", {"contents": [{"role": "user", "parts": "Hi"}]}, "wrong_type"),
        ("gemini", {"contents": [{"role": "queen", "parts": []}]}, "unknown_role"),
        ("gemini", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, "no_answer"),
        ("extractive_qa", {"answers": {"text": [], "answer_start": []}}, "no_answer"),
        ("extractive_qa", {"answers": None}, "null"),
        ("extractive_qa", {"answers": {"text": [3]}}, "wrong_type"),
        ("extractive_qa", {"context": " "}, "blank"),
        ("squad", {"paragraphs": [{"context": "a", "qas": []}]}, "no_question"),
        ("squad", {"paragraphs": [{"context": "a"}]}, "wrong_type"),
        ("squad", {"paragraphs": ["a"]}, "wrong_type"),
        ("self_instruct", {"instances": []}, "empty"),
        ("self_instruct", {"instances": ["a"]}, "wrong_type"),
        ("self_instruct", {"instances": [{"input": "a", "output": ""}]}, "empty"),
        ("chat_pair", {"completion": None}, "null"),
        ("chat_pair", {"prompt": CHAT}, "answered_prompt"),
        ("chat_pair", {"completion": POOR + ASKED}, "no_last_answer"),
        ("kiln", {"reasoning": 3}, "wrong_type"),
        ("reflection", {"corrected": ""}, "empty"),
        ("conversation_tree", {"output": ""}, "empty"),
        ("conversation_tree", {"id": None}, "wrong_type"),
        ("conversation_tree", {"parent_id": 7}, "no_parent"),
    ],
)  # fmt: skip
def test_rows_that_can_not_be_learned_say_why(name, change, code):
    row, _ = FAMILIES[name][0]
    found = format_of([row] * 4)
    (only,) = found.unfolder()(row | change)
    problem = found.check(only)
    assert problem is not None
    assert (problem.code, bool(problem.message)) == (code, True)
