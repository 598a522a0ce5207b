"""Rows are found by words, label, split and length: the same in a store and one by one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maxaillm.dev.finetune.data.examples import example_kinds
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.store.query import RowQuery
from tests.engine.data.files import REAL, needs_real_data
from tests.engine.data.store.stored_rows import KIND_NAMES, labelled, real_store, rows_of, store_of

PARTS = ["system", "user", "assistant", "tool", "text", "pair"]


@st.composite
def queries(draw, rows):
    """Mostly words that occur: pieces of the rows' own texts, in other cases."""
    texts = [str(value) for row in rows for value in row.values()]
    text = draw(st.sampled_from(texts))
    start = draw(st.integers(0, len(text)))
    words = text[start : start + draw(st.integers(0, 6))]
    words = draw(st.sampled_from([words, words.upper(), words.lower(), words.swapcase(), "ſs iİ"]))
    return RowQuery(
        words=draw(st.sampled_from(["", words, f'"{words}"'])),
        part=draw(st.sampled_from([None, None, *PARTS])),
        label=draw(st.sampled_from([None, None, "spam", "Spam", "desirable"])),
        split=draw(st.sampled_from([None, None, "train", "test"])),
        min_chars=draw(st.sampled_from([None, None, 5])),
        max_chars=draw(st.sampled_from([None, None, 9])),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(KIND_NAMES))
def test_a_store_and_a_row_say_the_same(tmp_path, data, kind):
    rows = data.draw(rows_of(example_kinds[kind]))
    store = store_of(tmp_path / "rows", example_kinds[kind], rows)
    for query in data.draw(st.lists(queries(rows), min_size=1, max_size=6)):
        one_by_one = [place for place, row in enumerate(rows) if query.matches(store.kind, row)]
        assert store.find(query).tolist() == one_by_one
        assert query == RowQuery.model_validate_json(query.model_dump_json())


TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is the STRASSE (main)?"},
    {"role": "assistant", "content": "Over there, 50% of it."},
]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ({}, True),
        ({"words": "strasse there"}, True),
        ({"words": "strasse here missing"}, False),
        ({"words": '"the strasse"'}, True),
        ({"words": '"strasse the"'}, False),
        ({"words": "(MAIN)? 50%"}, True),
        ({"words": "s.rasse"}, False),
        ({"words": "there", "part": "user"}, False),
        ({"words": "there", "part": "assistant"}, True),
        ({"part": "tool"}, False),
        ({"part": "system", "max_chars": 8}, True),
        ({"part": "system", "max_chars": 7}, False),
        ({"min_chars": 58}, True),
        ({"min_chars": 59}, False),
        ({"split": "train"}, True),
        ({"split": "test"}, False),
        ({"label": "x"}, False),
    ],
)
def test_conditions(tmp_path, query, is_found):
    store = store_of(tmp_path / "rows", Conversation, [{"messages": TALK}])
    assert RowQuery(**query).matches(Conversation, {"messages": TALK}) is is_found
    assert len(store.find(RowQuery(**query))) == is_found


def test_places_are_those_of_the_pages(tmp_path):
    store = store_of(tmp_path / "rows", Classification, labelled(*"abcab" * 3))
    places = store.find(RowQuery(label="b")).tolist()
    assert [row.example["label"] for row in store.at(places)] == ["b"] * 6


def test_a_shortest_above_the_longest_is_refused():
    with pytest.raises(ValidationError, match="longer than the longest"):
        RowQuery(min_chars=3, max_chars=2)


@needs_real_data
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"label": "card_arrival"}, 153),
        ({"words": "card"}, None),
        ({"words": "CARD", "min_chars": 200}, None),
    ],
)
def test_a_real_file_is_counted_exactly(tmp_path, query, count):
    store = real_store(REAL / "classification" / "banking77_train.csv", tmp_path)
    rows = [row.example for row in store.page(0, 20_000)]
    word, least = query.get("words", "").lower(), query.get("min_chars", 0)
    naive = [
        row
        for row in rows
        if word in row["text"].lower()
        and len(row["text"]) >= least
        and row["label"] == query.get("label", row["label"])
    ]
    assert len(store.find(RowQuery(**query))) == len(naive) == (count or len(naive)) > 0
