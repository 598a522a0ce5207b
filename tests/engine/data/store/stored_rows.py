"""Stored rows of every kind, drawn by Hypothesis, and stores that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.store.batch import Batch, StoredExample, stored
from maxaillm.dev.finetune.data.store.store import RowStore, RowWriter
from tests.engine.data.files import check

KIND_NAMES = sorted(example_kinds)
ODD = ["<b>", "</p>", "&amp;", "<!--", "-->", "`", "```", "\n\n\n", " ", "\u200b", "Ã©", "â€™"]
TEXT = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
    | st.sampled_from([*ODD, "a@example.org", "<script>", "</script>", "İ", "ſ", "ß", "Spam"]),
    min_size=1,
    max_size=5,
).map("".join)
LABEL = st.sampled_from(["spam", "Spam", " spam", "ham", "ham ", "ſpam"])
SPLIT = st.sampled_from([None, "train", "validation", "test"])


CALLS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["look_up", "Spam"]), "arguments": TEXT | st.just('{"a": 1}')},
        optional={"id": st.just("c1")},
    ),
    min_size=1,
    max_size=2,
)


def turn(*roles: str) -> st.SearchStrategy[dict[str, Any]]:
    weight = st.sampled_from([None, None, 0.0, 1.0])
    told = {"role": st.sampled_from(roles), "content": TEXT, "weight": weight}
    thought = {"reasoning": TEXT, "tool_calls": CALLS} if roles == ("assistant",) else {}
    return st.fixed_dictionaries(told, optional=thought)


PROMPT = st.tuples(
    st.lists(turn("system"), max_size=1), st.lists(st.tuples(turn("user")), min_size=1, max_size=1)
).map(lambda parts: [*parts[0], *(item for pair in parts[1] for item in pair)])
ANSWER = st.tuples(turn("assistant")).map(list)
TALK = st.tuples(PROMPT, ANSWER).map(lambda parts: parts[0] + parts[1])
PAIR = st.none() | TEXT
FIELDS: dict[type[Example], dict[str, st.SearchStrategy[Any]]] = {
    Conversation: {"messages": TALK},
    Text: {"text": TEXT},
    Classification: {"text": TEXT, "label": LABEL, "pair": PAIR},
    MultiLabelClassification: {
        "text": TEXT,
        "labels": st.lists(LABEL, unique=True, max_size=3),
        "pair": PAIR,
    },
    Regression: {"text": TEXT, "score": st.floats(-9e37, 9e37), "pair": PAIR},
    TokenLabels: {
        "tokens": st.lists(TEXT, min_size=2, max_size=2),
        "tags": st.tuples(LABEL, LABEL),
    },
    Preference: {"messages": PROMPT, "chosen": ANSWER, "rejected": ANSWER},
    UnpairedPreference: {"messages": PROMPT, "completion": ANSWER, "desirable": st.booleans()},
}


@st.composite
def rows_of(draw: st.DrawFn, kind: type[Example], max_size: int = 6) -> list[StoredExample]:
    one = st.fixed_dictionaries({**FIELDS[kind], "split": SPLIT})
    drawn = draw(st.lists(one, min_size=1, max_size=max_size))
    return [stored(kind.model_validate(row)) for row in drawn]


def store_of(
    path: Path, kind: type[Example], rows: Iterable[StoredExample], group: int = 3
) -> RowStore:
    """A store with row groups of a few rows, its numbers with a gap behind each."""
    every = list(rows)
    with RowWriter(path) as writer:
        for begin in range(0, len(every), group):
            part = every[begin : begin + group]
            numbers = [2 * place + 1 for place in range(begin, begin + len(part))]
            writer.add(Batch(kind, numbers, part))
    return RowStore(path)


def labelled(*labels: str, split: str | None = None) -> list[StoredExample]:
    return [
        stored(
            Classification.model_validate({"text": f"text {place}", "label": label, "split": split})
        )
        for place, label in enumerate(labels)
    ]


def real_store(path: Path, folder: Path, data_format: Any = None) -> RowStore:
    """The rows of a real file, as its check accepts them."""
    examples = check(path, data_format).examples
    return store_of(folder / "rows", type(examples[0]), map(stored, examples), group=10_000)
