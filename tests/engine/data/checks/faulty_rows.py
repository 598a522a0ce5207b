"""Small datasets, each with a planted fault, and what a check must say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.checks import Issue, checks
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.store.batch import Batch, StoredExample

WORDS = """
    people water house river market bread garden window letter winter summer morning evening street
    bridge mountain teacher doctor farmer sailor table chair lamp paper pencil music story question
    answer journey station ticket engine forest island harbour village castle kitchen supper apple
    orange butter sugar copper silver golden simple gentle heavy quiet narrow little yellow purple
    carry follow listen wander gather remember
""".split()  # noqa: SIM905


def sentence(number: int, length: int = 9) -> str:
    """A sentence that no other number has."""
    words = Random(number).choices(WORDS, k=length)
    return f"Number {number} says {' '.join(words)} {number * 7919}."


def chat(question: str, answer: str, **more: Any) -> StoredExample:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **more}


def said(*turns: tuple[str, str]) -> StoredExample:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def answered(answer: str) -> StoredExample:
    return chat("What is it?", answer)


def clean_talks(count: int = 60) -> list[StoredExample]:
    return [chat(sentence(n), sentence(n + 1_000, 30)) for n in range(count)]


def clean_labelled(count: int = 60) -> list[StoredExample]:
    return [{"text": sentence(n), "label": ("ham", "spam")[n % 2]} for n in range(count)]


def turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def better(number: int) -> StoredExample:
    return {
        "messages": turn("user", sentence(number)),
        "chosen": turn("assistant", sentence(number + 1_000)),
        "rejected": turn("assistant", sentence(number + 2_000)),
    }


CLEAN: dict[type[Example], list[StoredExample]] = {
    Conversation: clean_talks(),
    Text: [{"text": sentence(n, 40)} for n in range(60)],
    Classification: clean_labelled(),
    MultiLabelClassification: [
        {"text": sentence(n), "labels": ["a", "b", "c"][n % 3 :][:2]} for n in range(60)
    ],
    Regression: [{"text": sentence(n), "score": n / 10} for n in range(60)],
    TokenLabels: [
        {"tokens": sentence(n).split(), "tags": ["O", "B-X"] * 6 + ["O"]} for n in range(60)
    ],
    Preference: [better(n) for n in range(60)],
    UnpairedPreference: [
        chat(sentence(n), "") | {"messages": turn("user", sentence(n)),
         "completion": turn("assistant", sentence(n + 500)), "desirable": n % 2 == 0}
        for n in range(60)
    ],
}  # fmt: skip


class Fault(NamedTuple):
    """Rows put behind clean ones, and which of them must be named, as what."""

    check: str
    rows: Sequence[StoredExample]
    named: Sequence[int | None]
    """Places among `rows`, from 0; None: the whole dataset."""
    code: str | None = None
    kind: type[Example] = Conversation
    clean: int = 60
    """How many clean rows come before."""


CALL = '{"name": "weather", "arguments": {"city": "Rome"}}'
CALLING = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"name": "weather", "arguments": '{"city": "Rome"}'}],
}
LONG = sentence(7, 60)
HELD = {"split": "test"}
GERMAN = (
    "Dies ist ein längerer deutscher Satz, der unter den englischen steht und deshalb auffällt."
)
ENGLISH = [
    f"There were {n} people who had come to the market that day, and all of them bought some bread."
    for n in range(24)
]
FAULTS = [
    Fault("duplicate", [chat("a", "b"), chat("c", "d"), chat("a", "b"), chat("a", "b")], [2, 3]),
    Fault("duplicate", [{"text": "a", "label": "x"}] * 2, [1], kind=Classification),
    Fault("near_duplicate", [answered(LONG), answered(LONG.replace(" says ", " tells "))], [1]),
    Fault("near_duplicate", [chat("is it?", LONG), chat("is it?", LONG) | HELD,
          chat("was it?", LONG) | HELD], [2], code="leakage"),
    Fault("conflicting_answers", [chat("2 + 2?", "4"), chat(" 2 + 2? ", "5")], [1]),
    Fault("conflicting_answers", [{"text": "a", "label": "x"}, {"text": "A", "label": "y"}], [1],
          code="conflicting_labels", kind=Classification),
    Fault("conflicting_answers",
          [better(1_000), better(1_000) | {"chosen": better(1_000)["rejected"],
           "rejected": better(1_000)["chosen"]}], [1], code="conflicting_labels", kind=Preference),
    Fault("conflicting_answers", [chat("Say a word", f"{n}") for n in range(30)], [None]),
    Fault("leakage", [chat("Where?", "Here."), chat("where? ", "There.") | HELD], [1]),
    Fault("leakage", [{"text": "a"} | HELD, {"text": "a"}], [0], kind=Text),
    Fault("long_row", [answered("x" * 1_000_001)], [0]),
    Fault("outlier_length", [answered("word " * 2_000)], [0]),
    Fault("short_text", [answered("N/A"), answered("..."), answered("Yes")], [0, 1]),
    Fault("empty_part", [said(("system", " \u200b"), ("user", "a"), ("assistant", "b"))], [0]),
    Fault("refusal", [answered("I'm sorry, but I can't help with that."),
                      answered("As an AI language model, I have no opinion."),
                      answered("I cannot recommend this film enough.")], [0, 1]),
    Fault("boilerplate", [answered("Certainly! Here is what you asked me for, dear and valued "
          f"customer: {sentence(n, 30)}") for n in range(12)], [None]),
    Fault("truncated_answer", [answered(f"{sentence(1, 30)} Then the old man went on to say that "
          "the house by the river had always been")], [0]),
    Fault("truncated_answer", [answered(sentence(n, 60)[:300] + "x") for n in range(8)],
          list(range(8))),
    Fault("repeated_text", [answered("I think that it is so. " * 40)], [0]),
    Fault("mixed_language", [answered("Это предложение написано на другом языке, чем остальные.")],
          [0]),
    Fault("mixed_language", [answered(text) for text in [*ENGLISH, GERMAN]], [24], clean=0),
    Fault("mojibake", [answered("cafÃ© crÃ¨me"), answered("It\x92s \x80 5"),
                       answered("A = Ï€ r"), answered("Ð¿Ñ€Ð¸Ð²ÐµÑ‚"), answered("donâ€™t"),
                       answered("nowâ\x80\x99s")], list(range(6))),
    Fault("mojibake", [answered("lost \ufffd here")], [0], code="lost_characters"),
    Fault("mojibake", [answered("å£900 to win")], [0], code="odd_characters"),
    Fault("old_separators", [chat(f"Subject {n}\n\n###\n\n", f" yes {n} END") for n in range(9)],
          [None], clean=0),
    Fault("markup", [answered("It is<br>so &amp; not <b>otherwise</b>."),
                     answered("if a < b and b > c: print(a)"),
                     answered("Write it in HTML like this: <b>bold</b>.")], [0]),
    Fault("placeholder", [answered("Yours, [Your Name]"), answered("I am {{name}}."),
                          answered("Lorem ipsum dolor sit amet."), answered("a[0] {x} [1]")],
          [0, 1, 2]),
    Fault("personal_data", [answered("Write to jane.roe@mailbox.org."),
                            answered("Write to jane.roe@example.com.")], [0]),
    Fault("tool_calls", [said(("user", "a"), ("assistant", CALL), ("user", "b"),
                              ("assistant", "c"))], [0], code="unclosed_tool_calls"),
    Fault("tool_calls", [said(("user", "a"), ("assistant", "b"), ("tool", "{}"),
                              ("assistant", "c"))], [0], code="tool_without_call"),
    Fault("tool_calls", [*[said(("user", "a"), ("assistant", CALL), ("tool", "{}"),
          ("assistant", f"c{n}")) for n in range(10)], said(("user", "a"), ("assistant", CALL))],
          [10], code="unclosed_tool_calls"),
    Fault("same_answers", [better(1) | {"rejected": better(1)["chosen"]}], [0], kind=Preference),
    Fault("echoed_question", [chat("Why is the sky so blue?", "why is the sky so blue? ")], [0]),
    Fault("single_class", [{"text": f"{n}", "label": "ham"} for n in range(3)], [None],
          kind=Classification, clean=0),
    Fault("many_classes", [{"text": f"{n}", "label": f"{n}"} for n in range(200)], [None],
          kind=Classification, clean=0),
    Fault("many_classes", [{"text": "a", "label": f"{n}"} for n in range(10_001)], [None],
          kind=Classification),
    Fault("label_variants", [{"text": "a", "label": "Spam "}], [0], kind=Classification),
    Fault("rare_class", [{"text": "a", "label": "eggs"}], [0], kind=Classification),
    Fault("class_imbalance", [{"text": f"{n}", "label": "ham"} for n in range(300)], [None],
          kind=Classification),
    Fault("tool_calls", [{"messages": [*turn("user", "a"), CALLING, *turn("user", "b"),
          *turn("assistant", "c")]}], [0], code="unclosed_tool_calls"),
    Fault("assistant_first", [said(("assistant", "Hello!"), ("user", "a"), ("assistant", "b")),
          said(("system", "s"), ("assistant", "Hello!"), ("user", "a"), ("assistant", "b"))],
          [0, 1]),
    Fault("late_system", [said(("user", "a"), ("system", "s"), ("assistant", "b"))], [0]),
    Fault("repeated_speaker", [said(("user", "a"), ("user", "b"), ("assistant", "c")),
          said(("user", "a"), ("assistant", "b"), ("assistant", "c"))], [0, 1]),
    Fault("partial_weight", [{"messages": [*turn("user", "a"),
          turn("assistant", "b")[0] | {"weight": 0.5}]}], [0]),
    Fault("control_words", [answered('return "<|end|>"'), answered("<s>[INST] hi [/INST]")],
          [0, 1]),
    Fault("may_be_cut", [answered(f"{n} word " * 500) for n in range(6)], [None]),
]  # fmt: skip


def issues(
    name: str, kind: type[Example], rows: Sequence[StoredExample], size: int = 10_000
) -> Iterator[Issue]:
    """What the check says of the rows, given to it so many at a time; numbers begin with 1."""
    check = checks[name].model_validate({})
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        yield from check.see(Batch(kind, range(begin + 1, begin + len(part) + 1), part))
    yield from check.conclude()
