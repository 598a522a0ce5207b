"""The runs to compare, as an address names them; what is missing is told in a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.models import Run
from jobs.selectors import AnyUser, runs_within_reach_of
from maxft_site.web.formatting import typed_number

LEAST, MOST = 2, 10


class Choice(NamedTuple):
    """The runs in the order in which they were asked for; the baseline is one of them."""

    runs: list[Run]
    baseline: Run | None
    problems: list[str]
    """What can't be shown as asked."""

    @property
    def is_enough(self) -> bool:
        return len(self.runs) >= LEAST

    @property
    def others(self) -> list[Run]:
        return [run for run in self.runs if run != self.baseline]


def choose(user: AnyUser, asked: Sequence[str], baseline: str = "") -> Choice:
    """What of it `user` may see. Without a baseline it is the first run."""
    problems: list[str] = []
    wanted: dict[int, None] = {}
    for text in dict.fromkeys(asked):
        number = typed_number(text)
        if number is None:
            problems.append(f"“{text[:40]}” is no number of a run.")
        else:
            wanted[number] = None
    if len(wanted) > MOST:
        problems.append(f"{len(wanted)} runs were asked for; {MOST} fit, the first are shown.")
    shown = list(wanted)[:MOST]
    found = {run.pk: run for run in runs_within_reach_of(user).filter(pk__in=shown)}
    problems += [
        f"Run {pk} is not there: it was deleted, or it isn't yours."
        for pk in shown
        if pk not in found
    ]
    runs = [found[pk] for pk in shown if pk in found]
    return Choice(runs, pinned(runs, baseline, problems), problems)


def pinned(runs: list[Run], baseline: str, problems: list[str]) -> Run | None:
    wanted = typed_number(baseline)
    for run in runs:
        if run.pk == wanted:
            return run
    if baseline and runs:
        problems.append(f"The baseline {baseline[:40]} is not among them; {runs[0].pk} is taken.")
    return runs[0] if runs else None
