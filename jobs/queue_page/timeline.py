"""Timeline of the devices: who has had them in the last 24 hours, and how evenly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import ACTIVE, Run, Status, Transition
from jobs.scheduling.fairness import jain
from jobs.services.queue.forecast import Share
from jobs.services.queue.kinds import KINDS
from maxft_site.web.formatting import duration

HOURS = 24
LEAST_WIDTH = 0.15
"""Percent: a run of seconds is still to be seen."""
WIDE_ENOUGH = 6.0
"""Percent: from there on a name fits in."""
COLOURS = 4


class Span(NamedTuple):
    """A piece of device time of one run."""

    run: int
    owner: str
    """Empty: of somebody else."""
    kind: str
    begin: datetime
    end: datetime


class Bar(NamedTuple):
    """A span, drawn; places in percent."""

    x: str
    width: str
    word: str
    title: str
    colour: int
    """From 1, one a user; 0 for other people."""


class TimelineRow(NamedTuple):
    name: str
    bars: list[Bar]
    summary: str


class Timeline(NamedTuple):
    rows: list[TimelineRow]
    hours: list[str]
    """Where the marks are, in percent."""
    users: list[tuple[int, str, str]]
    """Colour, name, and how long they had a device."""


def timeline(user: User) -> Timeline:
    """A superuser sees whose each piece is; others their own, and that the rest was taken."""
    now = timezone.now()
    since = now - timedelta(hours=HOURS)
    spans = spans_since(since, now, user)
    names = sorted({span.owner for span in spans if span.owner})
    colours = {name: 1 + number % COLOURS for number, name in enumerate(names)}
    rows = [
        row_of(kind, number, lane, since, colours)
        for kind in KINDS
        for number, lane in enumerate(packed(s for s in spans if s.kind == kind), start=1)
    ]
    users = [(colours[name], name, duration(total(spans, name))) for name in names]
    if any(not span.owner for span in spans):
        users.append((0, "Other people", duration(total(spans, ""))))
    return Timeline(rows, [f"{share}%" for share in (25, 50, 75)], users)


def total(spans: Sequence[Span], owner: str) -> float:
    return sum((s.end - s.begin).total_seconds() for s in spans if s.owner == owner)


def spans_since(since: datetime, now: datetime, user: User) -> list[Span]:
    """By the changes of state: from a worker's claim to where the run has left its device."""
    recent = Transition.objects.filter(time__gte=since, attempt__gt=0).values("run")
    runs = Run.objects.filter(pk__in=recent) | Run.objects.active()
    known = {
        pk: (owner if user.is_superuser or owner_id == user.pk else "", kind or "cpu")
        for pk, owner_id, owner, kind in runs.distinct().values_list(
            "pk", "owner", "owner__username", "device_kind"
        )
    }
    moves = Transition.objects.filter(run__in=known).exclude(came_from=Status.QUEUED, to="queued")
    begun: dict[int, datetime] = {}
    spans: list[Span] = []
    for run, to, time in moves.order_by("pk").values_list("run", "to", "time"):
        if to == Status.STARTING:
            begun[run] = time
        elif to not in ACTIVE and (begin := begun.pop(run, None)) and time > since:
            spans.append(Span(run, *known[run], max(begin, since), time))
    spans += [Span(run, *known[run], max(begin, since), now) for run, begin in begun.items()]
    return spans


def packed(spans: Iterable[Span]) -> list[list[Span]]:
    """In as few rows as there were devices at work at once."""
    rows: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: one.begin):
        free = next((row for row in rows if row[-1].end <= span.begin), None)
        if free is None:
            rows.append([span])
        else:
            free.append(span)
    return rows


def row_of(
    kind: str, number: int, spans: Sequence[Span], since: datetime, colours: dict[str, int]
) -> TimelineRow:
    bars = [bar_of(span, since, colours.get(span.owner, 0)) for span in spans]
    taken = sum((span.end - span.begin).total_seconds() for span in spans)
    name = f"{KINDS[kind]} {number}"
    return TimelineRow(name, bars, f"{name}: taken for {duration(taken)} of the last 24 hours")


def bar_of(span: Span, since: datetime, colour: int) -> Bar:
    whole = timedelta(hours=HOURS)
    width = max(LEAST_WIDTH, 100 * ((span.end - span.begin) / whole))
    took = duration((span.end - span.begin).total_seconds())
    of = f"run {span.run} of {span.owner}" if span.owner else "a run of other people"
    word = f"{span.run} · {span.owner}" if span.owner else ""
    return Bar(
        f"{100 * ((span.begin - since) / whole):.2f}%",
        f"{width:.2f}%",
        word if width >= WIDE_ENOUGH else "",
        f"{of}, {took}",
        colour,
    )


def evenness(shares: Iterable[Share]) -> list[tuple[str, float]]:
    """Jain's index of what those who are here have received of what they are due, by kind of
    device; of two users or more."""
    found = []
    for kind, name in KINDS.items():
        parts = [s.received / s.entitled for s in shares if s.kind == kind and s.entitled > 0]
        if len(parts) > 1 and any(parts):
            found.append((name, jain(parts)))
    return found
