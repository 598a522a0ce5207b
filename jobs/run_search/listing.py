"""The list of runs that a page or the API asks for: narrowed, searched, in an order."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

from django.db.models import DurationField, ExpressionWrapper, F, FloatField, Q, Value
from django.db.models.expressions import Expression
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Now, NullIf

from jobs.models.run import RunQuerySet
from jobs.run_search.fields import filter_of
from jobs.run_search.language import parse, unknown
from jobs.selectors import STATES, AnyUser, runs_of, runs_within_reach_of
from maxft_site.web.formatting import typed_number


def metric(name: str) -> Expression:
    """The newest value of a metric; nothing where it was no number."""
    return Cast(NullIf(KeyTextTransform(name, "metrics"), Value("null")), FloatField())


COLUMNS: dict[str, Callable[[], Any]] = {
    "run": lambda: F("pk"),
    "name": lambda: F("name"),
    "status": lambda: F("status"),
    "model": lambda: F("base_model__name"),
    "method": lambda: KeyTextTransform("name", KeyTextTransform("tuning", "config")),
    "loss": lambda: metric("loss"),
    "eval_loss": lambda: metric("eval_loss"),
    "time": lambda: ExpressionWrapper(
        Coalesce(F("ended"), Now()) - F("started"), output_field=DurationField()
    ),
    "created": lambda: F("created"),
    "owner": lambda: F("owner__username"),
}
"""What a list can be put into the order of; with a minus the largest first."""


class RunFilter(NamedTuple):
    """What a list of runs is narrowed to, and its order; empty strings narrow nothing."""

    state: str = ""
    dataset: str = ""
    method: str = ""
    query: str = ""
    sort: str = "-run"

    def runs(self, user: AnyUser) -> RunQuerySet:
        """Runs of `user`; a superuser who names an owner, or sorts by it, looks among everybody's.

        Raises QueryError.
        """
        conditions = parse(self.query)
        names_owner = any(condition.field.lower() == "owner" for condition in conditions)
        names_owner |= self.sort.removeprefix("-") == "owner"
        found = runs_within_reach_of(user) if names_owner else runs_of(user)
        found = found.filter(reduce(and_, map(filter_of, conditions), Q()))
        if self.state in STATES:
            found = found.filter(STATES[self.state][1])
        if self.dataset and (chosen := typed_number(self.dataset)) is not None:
            found = found.filter(dataset__dataset=chosen)
        if self.method:
            found = found.filter(config__tuning__name=self.method)
        return ordered(found, self.sort)


def ordered(runs: RunQuerySet, sort: str) -> RunQuerySet:
    """What lacks the value comes last either way. Raises QueryError."""
    name = sort.removeprefix("-")
    if name not in COLUMNS:
        raise unknown("column to sort by", name, 1, COLUMNS)
    column = COLUMNS[name]()
    order = column.desc if sort.startswith("-") else column.asc
    return runs.order_by(order(nulls_last=True), "-pk")
