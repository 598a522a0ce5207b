"""Formats: recognised by keys and types, checked row by row, turned into examples."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import formats, recognise, stored_format
from maxaillm.dev.finetune.data.reading.unsupported import refuse_unsupported

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SHAREGPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
EXCHANGES = [{"input": "Hi", "output": "Hello"}]

RECOGNISED = [
    ({"instruction": "Hi", "input": "", "output": "Hello"}, "instruction"),
    ({"instruction": "Hi", "response": "Hello"}, "instruction"),
    ({"instruction": "Hi", "context": "", "response": "Hello", "category": "x"}, "instruction"),
    ({"conversations": EXCHANGES}, "conversation"),
    ({"conversations": SHAREGPT}, "sharegpt"),
    ({"conversations": SHAREGPT, "tools": "[]", "system": ""}, "sharegpt"),
    ({"conversations": [{"role": "user", "value": "Hi"}, {"role": "bot", "value": "Hello"}]},
     "sharegpt"),
    ({"messages": CHAT}, "messages"),
    ({"conversations": CHAT}, "messages"),
    ({"whatever": CHAT, "id": 3}, "messages"),
    ({"prompt": "Hi", "completion": "Hello"}, "prompt_completion"),
    ({"prompt": "Hi", "response": "Hello"}, "prompt_completion"),
    ({"input": "Hi", "output": "Hello"}, "prompt_completion"),
    ({"query": "Hi", "response": "Hello"}, "prompt_completion"),
    ({"Question": "Hi", "Answer": "Hello", "id": 1}, "prompt_completion"),
    ({"system_prompt": "", "question": "Hi", "response": "Hello"}, "prompt_completion"),
    ({"article": "Hi", "summary": "Hello"}, "prompt_completion"),
    ({"text": "Hello"}, "text"),
    ({"text": "Hello", "url": "a", "timestamp": "b"}, "text"),
    ({"text": "Hello", "label": 1}, "classification"),
    ({"text": "Hello", "label": True}, "classification"),
    ({"text": "Hello", "target": "greeting"}, "classification"),
    ({"sentence": "Hello", "sentiment": "good"}, "classification"),
    ({"translation": {"de": "Hi", "en": "Hello"}}, "translation"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "name"), RECOGNISED)
def test_recognised_and_turned_into_an_example(row, name):
    refuse_unsupported([row] * 4)
    (match,) = recognise([row] * 4)
    assert match.name == name
    assert match.check(row) is None
    example = match.to_example(row)
    assert isinstance(example, match.gives)
    if isinstance(example, Conversation):
        assert [(turn.role, turn.content) for turn in example.messages] == [
            ("user", "Hi"), ("assistant", "Hello"),
        ]  # fmt: skip
    else:
        assert example.text == "Hello"


@pytest.mark.parametrize(("row", "name"), RECOGNISED)
def test_cells_of_a_table_that_hold_json_are_read(row, name):
    cells = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()
    }
    (match,) = recognise([cells] * 4)
    assert match.name == name
    assert match.check(cells) is None


@pytest.mark.parametrize(("row", "name"), RECOGNISED)
def test_stored_examples_are_read_back(row, name):
    (match,) = recognise([row] * 4)
    example = match.to_example(row)
    stored = json.loads(example.model_dump_json(exclude_none=True))
    again = stored_format([stored] * 4)
    assert again.gives is type(example)
    assert again.to_example(stored) == example
    assert recognise([stored] * 4) == [again]


def test_formats_are_told_in_the_schema():
    for cls in formats.values():
        assert cls.label and cls.summary.endswith(".")
        for name, field in cls.model_fields.items():
            assert name == "name" or (field.title and field.description)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"text": "a", "messages": CHAT}, {"text", "messages"}),
        ({"prompt": "a", "completion": "b", "messages": CHAT}, {"prompt_completion", "messages"}),
        ({"text": "a", "code": "b"}, set()),
        ({"instruction": "a", "examples": EXCHANGES}, set()),
        ({"column_1": "a", "column_2": "b"}, set()),
        ({"prompt": "a"}, set()),
        ({"n": 3}, set()),
        ({"text": "Hello", "labels": [0, 1, 1]}, set()),
        ({"text": "Hello", "labels": "a, b"}, set()),
        ({"text": "Hello", "score": 4}, {"classification", "regression"}),
        ({"text": "Hello", "toxic": 0, "insult": 1, "label": 0}, {"classification"}),
        ({"tokens": ["a"], "ner_tags": [1], "pos_tags": [2]}, set()),
        ({"text": "a", "tokens": ["a"], "tags": ["O"]}, {"text", "token_classification"}),
        ({"chosen": "a", "rejected": "b"}, set()),
        ({"question": "a", "input": "b", "chosen": "c", "rejected": "d"}, set()),
        ({"prompt": "a", "chosen": CHAT, "rejected": CHAT, "messages": CHAT},
         {"preference", "messages"}),
        ({"translation": {"de": "a", "en": "b", "fr": "c"}}, set()),
    ],
)  # fmt: skip
def test_ties_and_strangers_are_left_to_the_owner(row, names):
    assert {match.name for match in recognise([row] * 4)} == names


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "null"), (3, "wrong_type"), (0.5, "wrong_type"), (True, "wrong_type"),
        (["a"], "wrong_type"), ({"a": "b"}, "wrong_type"), ("", "empty"), (" \n", "blank"),
        ("\u00a0", "blank"), ("\u200b\ufeff \u00a0", "blank"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("instruction", {"instruction": "a", "output": "b"}, "output"),
        ("prompt_completion", {"prompt": "a", "completion": "b"}, "completion"),
        ("text", {"text": "a"}, "text"),
        ("classification", {"text": "a", "label": "b"}, "text"),
    ],
)
def test_a_cell_without_text_is_never_trained_on(name, row, column, value, code):
    problem = formats[name]().check(row | {column: value})
    assert problem is not None
    assert problem.code == code
    assert column in problem.message
    others = {key: cell for key, cell in row.items() if key != column}
    assert formats[name]().check(others).code == "missing"


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (turns(("user", "a")), "no_answer"),
        (turns(("user", "a"), ("assistant", "b"), ("user", "c")), "no_last_answer"),
        (turns(("assistant", "b")), "no_prompt"),
        (turns(("user", "a"), ("wizard", "b")), "unknown_role"),
        (turns(("user", "a"), (7, "b")), "unknown_role"),
        (turns(("user", "a"), ("assistant", "\u200b")), "empty_turn"),
        (turns(("user", "a"), ("assistant", None)), "wrong_type"),
        (turns(("user", "a"), ("assistant", 3)), "wrong_type"),
        (turns(("user", [{"type": "image_url"}]), ("assistant", "b")), "not_text"),
        ({"messages": []}, "empty"),
        ({"messages": "Hi there"}, "wrong_type"),
        ({"messages": ["Hi"]}, "wrong_type"),
        ({"messages": None}, "null"),
        ({}, "missing"),
        ({"messages": [CHAT[0], CHAT[1] | {"weight": "much"}]}, "wrong_type"),
        ({"messages": [CHAT[0], CHAT[1] | {"weight": 10**400}]}, "wrong_type"),
        ({"messages": [CHAT[0], CHAT[1] | {"weight": float("nan")}]}, "wrong_type"),
    ],
)
def test_conversations_that_can_not_be_learned(row, code):
    assert formats["messages"]().check(row).code == code


def test_typed_parts_weights_and_calls_of_tools():
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "value": "b"}],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}], "loss_weight": 0},
            {"role": "tool", "content": "", "tool_call_id": "1"},
            {"role": "assistant", "content": "c", "weight": 1},
        ]
    }
    assert formats["messages"]().check(row) is None
    example = formats["messages"]().to_example(row)
    assert [(turn.role, turn.content, turn.weight) for turn in example.messages] == [
        ("system", "Be brief.", None),
        ("user", "ab", None),
        ("assistant", "", 0.0),
        ("tool", "", None),
        ("assistant", "c", 1.0),
    ]
    assert [(call.name, call.arguments) for call in example.messages[2].tool_calls] == [("f", "{}")]


def test_system_history_and_context_become_turns():
    row = {
        "instruction": "And now?", "input": "matter", "output": "Done.", "system": "Be kind.",
        "history": [["First?", "Yes."]],
    }  # fmt: skip
    (match,) = recognise([row])
    assert [(turn.role, turn.content) for turn in match.to_example(row).messages] == [
        ("system", "Be kind."), ("user", "First?"), ("assistant", "Yes."),
        ("user", "And now?\n\nmatter"), ("assistant", "Done."),
    ]  # fmt: skip
    assert match.check(row | {"history": ["broken"]}).code == "wrong_type"
    pair = {"question": "Who?", "answer": "She.", "context": "A story."}
    (match,) = recognise([pair])
    assert match.to_example(pair).messages[0].content == "A story.\n\nWho?"


@pytest.mark.parametrize(
    ("value", "label"),
    [(2, "2"), (2.0, "2"), ("2.0", "2"), (" spam ", "spam"), (True, "true"), ("1.5", "1.5")],
)
def test_labels_are_written_in_one_way(value, label):
    data_format = formats["classification"]()
    assert data_format.check({"text": "a", "label": value}) is None
    assert data_format.to_example({"text": "a", "label": value}).label == label


@pytest.mark.parametrize("value", [None, "", " \u200b", ["a"], 0.5])
def test_rows_without_a_label_are_bad(value):
    assert formats["classification"]().check({"text": "a", "label": value}) is not None
