"""Lists that a table's cell writes as text: read as they were meant, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.rows.written_values import written_value

WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6), max_size=5
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['Anna' 'lives' 'in']", ["Anna", "lives", "in"]),
        ("['Anna'\n \"It's\"]", ["Anna", "It's"]),
        ("[1 0 0 5]", [1, 0, 0, 5]),
        ("[0.5 -1.]", [0.5, -1.0]),
        ("['a' 'b' ... 'z']", None),
        ("['Don''t', 'go']", None),
        ("['a', 'b' 'c']", None),
        ("['a', 'b', ]", ["a", "b"]),
        ("[ 'a' ]", ["a"]),
        ("[]", []),
        ("[['a', 'b'], ('c',)]", [["a", "b"], ("c",)]),
        ("{'a': 1}", {"a": 1}),
        ("[1, 2", None),
        ("{[1], 2}", None),
        ("hello", None),
    ],
)
def test_what_a_cell_writes(text, value):
    assert written_value(text) == value


@settings(max_examples=200, deadline=None)
@given(WORDS)
def test_lists_of_words_come_back_however_they_are_written(words):
    assert written_value(json.dumps(words)) == words
    assert written_value(repr(words)) == words
    if len(words) > 1:
        assert written_value("[" + " ".join(map(repr, words)) + "]") == words
