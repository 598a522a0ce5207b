"""Preferences and judged answers: every spelling gives the same example; bad rows say why."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.formats import formats, recognise
from maxaillm.dev.finetune.data.reading.unsupported import refuse_unsupported


def said(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


ASKED = said(("user", "Hi"))
GOOD = said(("assistant", "Hello"))
POOR = said(("assistant", "Go away"))
HUMAN = [{"from": "human", "value": "Hi"}]
GPT, RUDE_GPT = {"from": "gpt", "value": "Hello"}, {"from": "gpt", "value": "Go away"}
PREFERENCE = Preference(messages=ASKED, chosen=GOOD, rejected=POOR)
JUDGED = UnpairedPreference(messages=ASKED, completion=GOOD, desirable=True)

PREFERENCES = {
    "texts": {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"},
    "messages": {"prompt": ASKED, "chosen": GOOD, "rejected": POOR},
    "common beginning": {"chosen": ASKED + GOOD, "rejected": ASKED + POOR},
    "prompt told twice": {"prompt": "Hi", "chosen": ASKED + GOOD, "rejected": ASKED + POOR},
    "HH-RLHF": {
        "chosen": "\n\nHuman: Hi\n\nAssistant: Hello",
        "rejected": "\n\nHuman: Hi\n\nAssistant: Go away",
    },
    "HH-RLHF, parted": {
        "prompt": "\n\nHuman: Hi\n\nAssistant:",
        "chosen": "Hello",
        "rejected": "Go away",
    },
    "ShareGPT": {"conversations": HUMAN, "chosen": GPT, "rejected": RUDE_GPT},
    "messages and two objects": {"messages": ASKED, "chosen": GOOD[0], "rejected": POOR[0]},
    "OpenAI": {
        "input": {"messages": ASKED},
        "preferred_output": GOOD,
        "non_preferred_output": POOR,
    },
    "Alpaca": {"instruction": "Hi", "input": "", "chosen": "Hello", "rejected": "Go away"},
    "Axolotl": {"prompt": "Hi", "chosen_response": "Hello", "rejected_response": "Go away"},
    "H2O": {"prompt": "Hi", "chosen_response": "Hello", "rejected_answer": "Go away"},
    "AutoTrain": {"prompt": "Hi", "text": "Hello", "rejected_text": "Go away"},
    "Simplismart": {"messages": ASKED + GOOD, "rejected_response": "Go away"},
    "question": {"system": "", "question": "Hi", "chosen": "Hello", "rejected": "Go away"},
}
JUDGEMENTS = {
    "texts": {"prompt": "Hi", "completion": "Hello", "label": True},
    "messages": {"prompt": ASKED, "completion": GOOD, "label": True},
    "as words": {"prompt": "Hi", "completion": "Hello", "label": "True"},
    "as numbers": {"prompt": "Hi", "completion": "Hello", "label": 1},
    "LLaMA-Factory": {"messages": ASKED + GOOD, "label": True},
    "ShareGPT": {"conversations": [*HUMAN, GPT], "kto_tag": True},
    "Alpaca": {"instruction": "Hi", "input": "", "output": "Hello", "kto_tag": True},
    "stored": {"messages": ASKED, "completion": GOOD, "desirable": True},
}
SPELLINGS = [
    pytest.param(row, example, id=f"{type(example).__name__}, {words}")
    for rows, example in ((PREFERENCES, PREFERENCE), (JUDGEMENTS, JUDGED))
    for words, row in rows.items()
]


@pytest.mark.parametrize(("row", "example"), SPELLINGS)
def test_every_spelling_gives_the_same_example(row, example):
    refuse_unsupported([row] * 4)
    (match,) = recognise([row] * 4)
    assert match.check(row) is None
    assert match.to_example(row) == example


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
@pytest.mark.parametrize(("row", "example"), SPELLINGS)
def test_tables_hold_lists_as_json_or_in_pythons_notation(row, example, write):
    cells = {name: value if isinstance(value, str) else write(value) for name, value in row.items()}
    (match,) = recognise([cells] * 4)
    assert match.check(cells) is None
    assert match.to_example(cells) == example


def test_the_prompt_holds_what_comes_before_the_answer():
    row = {
        "instruction": "Add it.", "input": "1 and 1", "system": "Be brief.",
        "chosen": "2", "rejected": "3",
    }  # fmt: skip
    (match,) = recognise([row])
    example = match.to_example(row)
    assert [(turn.role, turn.content) for turn in example.messages] == [
        ("system", "Be brief."), ("user", "Add it.\n\n1 and 1"),
    ]  # fmt: skip
    earlier = ASKED + GOOD + said(("user", "And now?"))
    long = {"chosen": earlier + GOOD, "rejected": earlier + POOR, "system": "Be kind."}
    (match,) = recognise([long])
    assert [turn.role for turn in match.to_example(long).messages] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip


def test_conversations_may_part_at_an_earlier_turn():
    again = said(("user", "Why?"), ("assistant", "So."))
    row = {"chosen": ASKED + GOOD + again, "rejected": ASKED + POOR + again}
    (match,) = recognise([row])
    example = match.to_example(row)
    assert [turn.content for turn in example.chosen] == ["Hello", "Why?", "So."]
    assert [turn.content for turn in example.messages] == ["Hi"]


def test_a_list_that_an_answer_consists_of_stays_a_text():
    row = {"prompt": "Primes?", "chosen": "[2, 3, 5]", "rejected": '{"messages": 1}'}
    (match,) = recognise([row])
    example = match.to_example(row)
    assert example.chosen[0].content == row["chosen"]
    assert example.rejected[0].content == row["rejected"]


PAIR = {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"}
CHATS = {"chosen": ASKED + GOOD, "rejected": ASKED + POOR}
VERDICT = {"prompt": "Hi", "completion": "Hello", "label": True}


@pytest.mark.parametrize(
    ("name", "row", "change", "code"),
    [
        ("preference", PAIR, {"rejected": "Hello"}, "no_difference"),
        ("preference", PAIR, {"rejected": ""}, "empty"),
        ("preference", PAIR, {"chosen": " \u200b"}, "blank"),
        ("preference", PAIR, {"chosen": None}, "null"),
        ("preference", PAIR, {"chosen": 3}, "wrong_type"),
        ("preference", PAIR, {"chosen": []}, "empty"),
        ("preference", PAIR, {"chosen": ["Hello"]}, "wrong_type"),
        ("preference", PAIR, {"prompt": None}, "null"),
        ("preference", PAIR, {"prompt": ASKED + GOOD}, "answered_prompt"),
        ("preference", PAIR, {"rejected": [{"role": "bard", "content": "a"}]}, "unknown_role"),
        ("preference", CHATS, {"rejected": said(("user", "Who?")) + POOR}, "no_prompt"),
        ("preference", CHATS, {"rejected": ASKED}, "no_prompt"),
        ("preference", CHATS, {"rejected": ASKED + POOR + ASKED}, "no_last_answer"),
        ("preference", CHATS, {"rejected": ASKED + said(("assistant", ""))}, "empty_turn"),
        ("unpaired_preference", VERDICT, {"label": None}, "no_label"),
        ("unpaired_preference", VERDICT, {"label": "perhaps"}, "wrong_type"),
        ("unpaired_preference", VERDICT, {"label": 2}, "wrong_type"),
        ("unpaired_preference", VERDICT, {"label": 0.5}, "wrong_type"),
        ("unpaired_preference", VERDICT, {"completion": ""}, "empty"),
        ("unpaired_preference", VERDICT, {"completion": ASKED}, "no_answer"),
        ("unpaired_preference", VERDICT, {"prompt": {"messages": "Hi"}}, "wrong_type"),
    ],
)
def test_rows_that_can_not_be_learned_say_why(name, row, change, code):
    (match,) = recognise([row] * 4)
    assert match.name == name
    problem = match.check(row | change)
    assert problem is not None
    assert (problem.code, bool(problem.message)) == (code, True)


def test_mapped_conversations_need_no_prompt():
    mapped = formats["preference"](chosen="better", rejected="worse")
    assert mapped.to_example({"better": ASKED + GOOD, "worse": ASKED + POOR}) == PREFERENCE
    assert mapped.check({"better": "Hello", "worse": "Go away"}).code == "no_prompt"
