"""Lists that a table's cell writes as text: read as they were meant, or not at all."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.rows.written_values import written_value
from tests.engine.data.files import check

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
        ("[['a', 'b'], ('c',)]", [["a", "b"], ["c"]]),
        ("{'a': 1}", {"a": 1}),
        ("[1, 2", None),
        ("{[1], 2}", None),
        ("hello", None),
        ('["a\\ud800", "b\\u0000", "\\ud83d\\ude00"]', ["a\ufffd", "b\ufffd", "\U0001f600"]),
        (r"['a\x00']", ["a\ufffd"]),
        ('{"a": 1, "a": 2}', None),
        ('{"a": [NaN]}', None),
        ("[1, -1e999]", None),
        ("[" * 65 + "]" * 65, None),
        ("{'a': " * 65 + "1" + "}" * 65, None),
        ("[b'a']", None),
        ("{1: 'a'}", None),
        ("[" + "'a'," * 2**18 + "]", None),
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


ODD = st.recursive(
    st.text(st.characters(), max_size=3) | st.binary(max_size=2) | st.floats()
    | st.complex_numbers() | st.sampled_from([None, True, 1, 10**400, "\ud800", "\0", ...]),
    lambda inner: st.lists(inner, max_size=2) | st.tuples(inner)
    | st.dictionaries(st.text(max_size=2) | st.integers() | st.none(), inner, max_size=2)
    | st.frozensets(st.integers(), max_size=2).map(set),
    max_leaves=6,
)  # fmt: skip
"""What Python can write down, and JSON for the greater part can not."""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ODD, st.sampled_from(["more", "content", "tool_calls", "weight", "name", "reasoning"]))
def test_whatever_a_cell_writes_its_row_is_read_or_refused_by_name(tmp_path, value, key):
    """Nothing ends the check of the file, and what is read can be stored."""
    odd = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", key: value}]
    path = tmp_path / "data.csv"
    with path.open("w", newline="", errors="replace") as file:
        rows = csv.writer(file)
        rows.writerow(["messages"])
        rows.writerows([[json.dumps([{**odd[0]}, {**odd[1], key: None, "content": "c"}])]] * 3)
        rows.writerow([repr(odd)])
        calls = [{"function": {"name": "f", "arguments": value}}]
        rows.writerow([repr([odd[0], {"role": "assistant", "tool_calls": calls}])])
    found = check(path)
    assert found.report.rows + found.report.bad_rows == 5
    assert found.report.rows >= 3
    for example in found.examples:
        example.model_dump_json().encode()
