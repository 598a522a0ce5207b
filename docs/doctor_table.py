"""Writes docs/doctor.md: the rules of the run doctor, their limits and where those come from.

Run: python -m docs.doctor_table [--check]
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from docs.generated import write_or_check
from maxaillm.dev.finetune.advice.doctor import AT_THE_END, LIVE, Rule

PAGE = Path(__file__).with_name("doctor.md")
TEXT = """\
# Run doctor

Made by `python -m docs.doctor_table` from the rules themselves, which lie in
`maxaillm/dev/finetune/advice/doctor/rules/`, one a module. A rule looks at what a run measured: its
loss at each step, its evaluations, its counts of tokens and rows. *Problem* and *warning* are said
for sure; a *hint* is a remark, or begins with "perhaps". A rule that can't tell is silent.

How often the rules are right is measured on small models that were really trained, healthy and sick
on purpose. What was wrong with a run is decided by facts that the rules don't see: an exam of many
further rows, runs that differ in one option, what was done to the run
(`benchmarks/doctor/truth.py`). The rules were built on one half of them; the figures of the other
half stand in [benchmarks](../benchmarks/README.md#how-often-the-run-doctor-is-right).
"""


def main() -> int:
    lines = [TEXT, *section("While a run trains", LIVE), *section("At its end", AT_THE_END)]
    return write_or_check(PAGE, "\n".join(lines) + "\n")


def section(title: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    for rule in rules:
        yield from rule_lines(rule)


def rule_lines(rule: Rule) -> Iterator[str]:
    module = inspect.getmodule(rule)
    assert module is not None
    head = " ".join((inspect.getdoc(module) or "").split())
    yield f"### `{rule.__name__}`\n"
    yield f"{head}\n"
    if words := inspect.getdoc(rule):
        yield f"{' '.join(words.split())}\n"
    limits = list(limits_of(inspect.getsource(module)))
    if limits:
        yield "| limit | |\n|---|---|"
        yield from limits
        yield ""


def limits_of(source: str) -> Iterator[str]:
    """The constants of a module that have a docstring."""
    body = ast.parse(source).body
    for found, after in pairwise(body):
        is_said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(found, ast.Assign) and is_said:
            words = " ".join(str(after.value.value).split())
            yield f"| `{ast.unparse(found)}` | {words} |"


if __name__ == "__main__":
    sys.exit(main())
