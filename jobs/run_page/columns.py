"""Measurements of a run as columns of numbers, kept while somebody looks at its curves.

A run of 100,000 steps is read once, and after that only what is new: its six charts, their
refinements and the comparison with others are made of the same arrays.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from numpy.typing import NDArray

from jobs.models import Event, Run

Numbers = NDArray[np.float64]
KEPT_RUNS = 16
"""Of each process; 100,000 steps with eight figures take 8 MB."""


class Columns(NamedTuple):
    """The measurements of one kind in order of their steps; NaN where there was no number."""

    step: NDArray[np.int64]
    time: Numbers
    figures: dict[str, Numbers]
    given: dict[str, NDArray[np.bool_]]
    """Whether a figure was measured at all at a step."""
    seq: int
    """Up to which event of the run it was read."""

    def figure(self, name: str) -> Numbers:
        found = self.figures.get(name)
        return np.full(len(self.step), np.nan) if found is None else found

    def has(self, name: str) -> NDArray[np.bool_]:
        found = self.given.get(name)
        return np.zeros(len(self.step), dtype=bool) if found is None else found


class ColumnStore:
    """The columns of the runs that were looked at last."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.kept: OrderedDict[tuple[Any, ...], Columns] = OrderedDict()

    def columns(self, run: Run | int, kind: str) -> Columns:
        """Up to the newest event. Only one thread reads a run; the others find what it read."""
        pk = run if isinstance(run, int) else run.pk
        # An attempt that ends may take steps of an earlier one back: then all is read anew.
        columns = ("last_seq", "folder", "attempt", "status")
        seq, *facts = Run.objects.filter(pk=pk).values_list(*columns).first() or (0,)
        key = (*facts, kind)
        with self.lock:
            known = self.kept.pop(key, None)
            found = self.kept[key] = self.read(pk, kind, known, seq)
            while len(self.kept) > KEPT_RUNS:
                self.kept.popitem(last=False)
        return found

    def read(self, pk: int, kind: str, known: Columns | None, seq: int) -> Columns:
        """With what has come up to the event `seq`, at least."""
        rows = Event.objects.filter(run=pk, kind=kind, step__isnull=False)
        if known is None:
            return made_of(rows.order_by("step"), seq)
        if known.seq >= seq:
            return known
        fresh = made_of(rows.filter(seq__gt=known.seq).order_by("step"), seq)
        return joined(known, fresh) if len(fresh.step) else known._replace(seq=seq)


STORE = ColumnStore()


def made_of(rows: QuerySet[Event], seq: int) -> Columns:
    # As text: orjson reads it several times as fast as Django's own field does.
    texts = rows.annotate(text=Cast("data", TextField()))
    found = list(texts.values_list("step", "time", "text"))
    data = [orjson.loads(text) for _, _, text in found]
    names = list(dict.fromkeys(name for row in data for name in row))
    return Columns(
        step=np.array([row[0] for row in found], dtype=np.int64),
        time=np.array([row[1] for row in found], dtype=np.float64),
        figures={name: numbers([row.get(name) for row in data]) for name in names},
        given={name: np.array([name in row for row in data], dtype=bool) for name in names},
        seq=seq,
    )


def numbers(values: list[Any]) -> Numbers:
    """What is no finite number is NaN."""
    if not {type(value) for value in values} <= {float, int, type(None)}:
        values = [value if type(value) in {float, int} else None for value in values]
    found = np.array(values, dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def joined(known: Columns, fresh: Columns) -> Columns:
    """A step that came again replaces the earlier one."""
    stays = ~np.isin(known.step, fresh.step)
    step = np.concatenate([known.step[stays], fresh.step])
    order = np.argsort(step, kind="stable")
    names = dict.fromkeys([*known.figures, *fresh.figures])

    def merged(old: Any, new: Any) -> Any:
        return np.concatenate([old[stays], new])[order]

    return Columns(
        step=step[order],
        time=merged(known.time, fresh.time),
        figures={name: merged(known.figure(name), fresh.figure(name)) for name in names},
        given={name: merged(known.has(name), fresh.has(name)) for name in names},
        seq=fresh.seq,
    )
