"""Near duplicates: how well likeness is estimated, which row is named, how much is looked at."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from maxaillm.dev.finetune.data.analysis.minhash import WINDOW, signatures
from maxaillm.dev.finetune.data.analysis.near_duplicates import similar_rows, similarities
from maxaillm.dev.finetune.data.checks.near_duplicate import NearDuplicate
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.store.batch import Batch
from tests.engine.data.checks.faulty_rows import answered, chat, issues, sentence


def windows(text):
    data = text.lower().encode()
    return {data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)}


def likeness(one, other):
    return len(windows(one) & windows(other)) / len(windows(one) | windows(other))


def changed(text, share, random):
    """`text` with some of its words replaced."""
    words = text.split()
    for place in random.sample(range(len(words)), round(share * len(words))):
        words[place] = "".join(random.choices("äbcdéfghij", k=6))
    return " ".join(words)


def pairs(count=60):
    random = Random(1)
    for number in range(count):
        text = sentence(number, 60)
        yield text, changed(text, number / count / 2, random)


def test_likeness_is_estimated_well():
    texts = [text for pair in pairs() for text in pair]
    minima, _, counts = signatures(
        Batch(Text, range(1, len(texts) + 1), [{"text": text} for text in texts])
    )
    every = np.arange(len(texts))
    estimated = similarities(minima, every[1::2], every[::2])
    exact = np.array([likeness(*pair) for pair in pairs()])
    assert np.abs(estimated - exact).mean() < 0.05
    assert np.abs(estimated - exact).max() < 0.2
    assert counts.tolist() == [len(text.encode()) - WINDOW + 1 for text in texts]


@pytest.mark.parametrize("threshold", [0.7, 0.85])
def test_pairs_well_above_the_threshold_are_found_and_others_not(threshold):
    texts = [text for pair in pairs() for text in pair]
    minima, bands, _ = signatures(
        Batch(Text, range(1, len(texts) + 1), [{"text": text} for text in texts])
    )
    earlier, _ = similar_rows(minima, bands, threshold)
    for place, pair in enumerate(pairs()):
        row = 2 * place + 1
        if likeness(*pair) > threshold + 0.12:
            assert earlier[row] == row - 1
        if likeness(*pair) < threshold - 0.15:
            assert earlier[row] == row


def test_the_row_is_the_one_that_it_says():
    text = sentence(3, 40)
    rows = [answered(text), answered(sentence(4, 40)), answered(text.replace("Number", "Numero"))]
    (found,) = issues("near_duplicate", Conversation, rows)
    assert found.row == 3
    assert "row 1" in found.message and "%" in found.message


def test_rows_with_the_same_texts_are_left_to_other_checks():
    rows = [answered(sentence(3, 40)), answered(sentence(3, 40))]
    assert not list(issues("near_duplicate", Conversation, rows))
    rows = [answered(sentence(3, 40)), answered(sentence(3, 40).upper())]
    assert len(list(issues("near_duplicate", Conversation, rows))) == 1


@pytest.mark.parametrize("size", [1, 4, 100])
def test_what_lies_behind_the_limit_is_left_out_and_said(size):
    texts = [sentence(n, 40) for n in range(10)]
    rows = [{"text": text} for text in [*texts, texts[0] + " too", texts[1] + " too"]]
    check = NearDuplicate(max_rows=11)
    found = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        found += check.see(Batch(Text, range(begin + 1, begin + len(part) + 1), part))
    found += check.conclude()
    assert [issue.row for issue in found] == [11, None]
    assert "first 11 of 12 rows" in found[1].message


@pytest.mark.parametrize("size", [7, 1_000])
def test_a_template_does_not_make_rows_alike(size):
    """All rows share three quarters of their text; only two share the rest."""
    template = sentence(9, 120)
    rows = [chat(f"{template} {sentence(n, 25)}", "yes") for n in range(700)]
    rows.append(chat(f"{template} {sentence(650, 25)}", "yes, it is"))
    check = NearDuplicate()
    found = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        found += check.see(Batch(Conversation, range(begin + 1, begin + len(part) + 1), part))
    found += check.conclude()
    assert [issue.row for issue in found] == [701]
    assert "row 651" in found[0].message


def test_a_very_long_row_is_known_by_its_beginning():
    long = " ".join(map(str, range(170_000)))
    rows = [{"text": sentence(1, 40)}, {"text": long}, {"text": long + "x"}, {"text": "end" * 20}]
    assert [found.row for found in issues("near_duplicate", Text, rows)] == [3]
