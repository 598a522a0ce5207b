"""Acts on several runs at once: each for itself, and what could not be done is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from django.contrib.auth.models import User

from jobs.models import Run
from jobs.services.deletion import delete_run
from jobs.services.labels import tag_run
from jobs.services.runs import cancel_run
from maxaillm.dev.finetune.errors import FineTuneError

MOST_RUNS = 1000


class Refusal(NamedTuple):
    """A run that stays as it was, and why."""

    run: int
    error: FineTuneError


class Outcome(NamedTuple):
    done: list[int]
    refused: list[Refusal]


class MissingRunError(FineTuneError):
    """A run that was deleted, or that belongs to somebody else."""

    code = "not_found"
    status = 404

    def __init__(self, run: int) -> None:
        super().__init__(
            f"Run {run} is not there: it was deleted, or it isn't yours.",
            "Look it up in the list of runs.",
        )


def stop_runs(*, runs: Iterable[Run], asked: Iterable[int], by: User) -> Outcome:
    return for_each(runs, asked, lambda run: cancel_run(run=run, by=by, save=False))


def delete_runs(*, runs: Iterable[Run], asked: Iterable[int], by: User) -> Outcome:
    return for_each(runs, asked, lambda run: delete_run(run=run, by=by))


def tag_runs(*, runs: Iterable[Run], asked: Iterable[int], tag: str) -> Outcome:
    return for_each(runs, asked, lambda run: tag_run(run=run, tag=tag))


def for_each(runs: Iterable[Run], asked: Iterable[int], act: Callable[[Run], None]) -> Outcome:
    """`asked`: the ids that were named; those without a run among `runs` are refused too."""
    there = {run.pk: run for run in runs}
    done: list[int] = []
    refused: list[Refusal] = []
    for pk in dict.fromkeys(asked):
        try:
            if pk not in there:
                raise MissingRunError(pk)
            act(there[pk])
        except FineTuneError as error:
            refused.append(Refusal(pk, error))
        else:
            done.append(pk)
    return Outcome(done, refused)
