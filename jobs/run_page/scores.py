"""Evaluation scores of a model, with the labels and units of its metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jobs.run_page.number_formats import in_words
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.run.events.kinds import EvalEvent
from maxaillm.dev.finetune.run.events.payload import payload_class
from maxaillm.dev.finetune.run.events.run_metrics import metric_info

DIGITS = 1
"""Of a share in percent."""


class Score(NamedTuple):
    """A figure for people; `low` and `high` bound it with 95 % probability, where measured."""

    label: str
    figure: str
    low: str = ""
    high: str = ""


def scores_of(measured: Mapping[str, Any]) -> list[Score]:
    """The validation loss first, then the metrics in the order in which they were measured."""
    declared = payload_class(EvalEvent.kind).metric_infos()
    first = [score_of(name, measured) for name in declared if is_number(measured.get(name))]
    return [*first, *evaluation_scores(measured)]


def evaluation_scores(measured: Mapping[str, Any]) -> Iterator[Score]:
    for name, value in measured.items():
        if name in metrics and is_number(value):
            yield score_of(name, measured)


def headline(measured: Mapping[str, Any]) -> Score | None:
    """The score that a list has room for: the first of the run's evaluation metrics."""
    return next(evaluation_scores(measured), None)


def score_of(name: str, measured: Mapping[str, Any]) -> Score:
    info = metric_info(name)
    values = [measured[name], *(measured.get(f"{name}_interval") or ())]
    return Score(info.label, *(in_words(info, value, DIGITS) for value in values))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
