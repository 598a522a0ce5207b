"""Precision and recall of the run doctor on its corpus, by rule and half.

Run: python -m benchmarks.doctor [--half building] [--wrong]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.doctor.record import Record, read
from benchmarks.doctor.score import Count, Judged, judged, total
from benchmarks.doctor.truth import TRUTHS

CURVES = {
    "rate_too_high", "rate_too_low", "learned_nothing", "flat_loss", "over_fitting",
    "best_is_not_last", "spikes", "noisy_evaluation",
}  # fmt: skip
"""Rules that judge curves; the others count, and are easier to get right."""


def line(name: str, count: Count) -> str:
    sick = count.right + count.missed
    words = f"{count.right} | {count.false} | {count.missed} | {count.silent}"
    return f"| {name} | {sick} | {words} | {count.precision} | {count.recall} |"


def table(records: Sequence[Record], corpus: Sequence[Record]) -> list[Judged]:
    found = list(judged(records, corpus))
    print("| rule | sick | right | false | missed | silent | precision | recall |")
    print("|---|---|---|---|---|---|---|---|")
    for code in TRUTHS:
        print(line(code, total(one for one in found if one.code == code)))
    print(line("**of curves**", total(one for one in found if one.code in CURVES)))
    print(line("**all**", total(found)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--half", choices=["building", "untouched"], default="")
    parser.add_argument("--wrong", action="store_true", help="name the runs that were misjudged")
    asked = parser.parse_args()
    corpus = read()
    for half in [asked.half] if asked.half else ["building", "untouched"]:
        records = [record for record in corpus if record.half == half]
        print(f"\n{half} half, {len(records)} runs\n")
        found = table(records, corpus)
        if asked.wrong:
            print()
            for one in found:
                if one.count.false or one.count.missed:
                    word = "false" if one.count.false else "missed"
                    print(f"{word} {one.code}: {one.record.name}")


if __name__ == "__main__":
    main()
