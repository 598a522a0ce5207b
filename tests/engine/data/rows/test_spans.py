"""Spans of a text as words with tags: every word once, every span found again."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.rows.spans import spans_problem, tagged_words

TEXT = "Anna lives in New York."


@pytest.mark.parametrize(
    ("text", "spans", "words", "tags"),
    [
        (TEXT, [[0, 4, "P"], [14, 22, "L"]], "Anna lives in New York .", "B-P O O B-L I-L O"),
        ("pre-war", [[4, 7, "X"]], "pre - war", "O O B-X"),
        ("prewar", [[3, 6, "X"]], "pre war", "O B-X"),
        ("我在北京", [[2, 4, "L"]], "我 在 北 京", "O O B-L I-L"),
        ("हिन्दी भाषा", [[0, 6, "L"]], "हिन्दी भाषा", "B-L O"),
        ("a b", [[0, 1, "X"], [2, 3, "X"]], "a b", "B-X B-X"),
        (" a ", [[0, 3, "X"]], "a", "B-X"),
    ],
)
def test_words_and_tags(text, spans, words, tags):
    assert spans_problem(text, spans) is None
    assert tagged_words(text, spans) == (words.split(), tags.split())


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ([0, 99, "P"], "bad_span"),
        ([3, 3, "P"], "bad_span"),
        ([4, 5, "P"], "bad_span"),
        ([23, 24, "P"], "bad_span"),
        (["0", "4", "P"], "bad_span"),
        ({"start": 0, "end": 4}, "bad_span"),
        ({"start": 0, "end": 4, "label": "P", "text": "Bert"}, "bad_span"),
        ([0, 8, "P"], "overlapping_spans"),
    ],
)
def test_a_span_that_can_not_be_is_named(span, code):
    problem = spans_problem(f"{TEXT}\u200b", [[5, 10, "V"], span])
    assert problem.code == code
    assert problem.fix


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.integers(0, 30), st.integers(1, 10))
@example("Anna \xadwas", 5, 2)
def test_nothing_of_a_text_is_lost_between_words(text, start, length):
    span = [start, start + length, "X"]
    if spans_problem(text, [span]) is not None:
        return
    words, tags = tagged_words(text, [span])
    assert len(words) == len(tags)
    kept = "".join("".join(words).split())
    assert [char for char in text if char in kept] == list("".join(words))
    inside = "".join(word for word, tag in zip(words, tags, strict=True) if tag != "O")
    assert all(char in text[start : start + length] for char in inside)
    assert tags.count("B-X") == 1
