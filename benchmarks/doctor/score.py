"""Score of the run doctor: for each rule, how often it is right when it speaks and when it is
needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from typing import NamedTuple

from benchmarks.doctor.record import Record
from benchmarks.doctor.truth import SAYS, TRUTHS
from maxaillm.dev.finetune.advice.doctor import examine

Z = 1.959963984540054


class Count(NamedTuple):
    """Runs by what a rule said and what was true; where the truth is open, none."""

    right: int = 0
    false: int = 0
    missed: int = 0
    silent: int = 0

    def __add__(self, other: object) -> Count:
        assert isinstance(other, Count)
        return Count(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def precision(self) -> str:
        return share(self.right, self.right + self.false)

    @property
    def recall(self) -> str:
        return share(self.right, self.right + self.missed)


class Judged(NamedTuple):
    """One rule on one run."""

    record: Record
    code: str
    count: Count


def judged(records: Iterable[Record], corpus: Sequence[Record]) -> Iterator[Judged]:
    for record in records:
        said = {found.code for found in examine(record.history, has_ended=True)} | {record.verdict}
        for code, truth_of in TRUTHS.items():
            truth, says = truth_of(record, corpus), bool(said & SAYS.get(code, {code}))
            if truth == "either":
                continue
            is_sick = truth == "yes"
            count = Count(says and is_sick, says and not is_sick, not says and is_sick)
            silent = not says and not is_sick
            yield Judged(record, code, Count(*map(int, count[:3]), int(silent)))


def total(found: Iterable[Judged]) -> Count:
    return sum((one.count for one in found), Count())


def share(hits: int, tries: int) -> str:
    """`0.95 (0.83 to 0.99)`: with Wilson's 95 % interval."""
    if not tries:
        return "–"
    low, high = wilson(hits, tries)
    return f"{hits / tries:.2f} ({low:.2f} to {high:.2f})"


def wilson(hits: int, tries: int) -> tuple[float, float]:
    rate, weight = hits / tries, Z * Z / tries
    middle = (rate + weight / 2) / (1 + weight)
    half = Z * sqrt(rate * (1 - rate) / tries + weight / tries / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)
