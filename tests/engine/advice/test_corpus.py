"""Run doctor on its corpus: small models that were really trained, healthy and sick on purpose.

What was wrong with each is decided by what the doctor does not see (`benchmarks/doctor/truth.py`).
"""

from __future__ import annotations

import pytest

from benchmarks.doctor.record import FILE, Half, Record, read
from benchmarks.doctor.score import judged, total, wilson
from maxaillm.dev.finetune.advice.doctor import examine

CORPUS = read()
LEAST_RUNS, MOST_BYTES = 120, 2_000_000
LEAST: dict[Half, tuple[float, float]] = {"building": (0.95, 0.85), "untouched": (0.85, 0.72)}
"""Precision and recall. The figures themselves, with intervals, stand in benchmarks/README.md."""


def half(name: Half) -> list[Record]:
    return [record for record in CORPUS if record.half == name]


def test_the_corpus_is_large_and_its_file_is_not() -> None:
    assert len({record.name for record in CORPUS}) == len(CORPUS) >= LEAST_RUNS
    assert FILE.stat().st_size < MOST_BYTES
    assert not {record.group for record in half("building")} & {
        record.group for record in half("untouched")
    }


@pytest.mark.parametrize("name", LEAST)
def test_what_the_doctor_says_is_right_and_little_is_missed(name: Half) -> None:
    count = total(judged(half(name), CORPUS))
    precision, recall = LEAST[name]
    assert count.right / (count.right + count.false) >= precision
    assert count.right / (count.right + count.missed) >= recall


def test_runs_with_nothing_wrong_are_left_alone() -> None:
    """Another share of slow reading than nothing, or memory, changes no curve."""
    conditions = {"healthy", "rows a little slow"}
    for record in CORPUS:
        if record.condition in conditions and record.verdict == "better":
            found = examine(record.history, has_ended=True)
            alarms = {each.code for each in found if each.level != "note"}
            assert alarms <= {"end_token"}, record.name  # which small models do lack


def test_intervals_are_those_of_wilson() -> None:
    """By the closed form of Wilson (1927), as statsmodels gives it."""
    assert wilson(19, 20) == pytest.approx((0.7638688, 0.9911186), abs=1e-6)
    assert wilson(0, 5) == pytest.approx((0.0, 0.4344825), abs=1e-6)
