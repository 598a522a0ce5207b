"""Timeline of the next hours: which run has which device when, as it is expected now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User

from jobs.models import Run
from jobs.queue_page import HOURS_AHEAD
from jobs.queue_page.timeline import WIDE_ENOUGH
from jobs.services.queue.forecast import Planned
from jobs.services.queue.kinds import KINDS
from maxft_site.web.formatting import duration

SECONDS = HOURS_AHEAD * 3600
LEAST_WIDTH = 0.3
"""Percent: a run of seconds is still to be seen."""


class Expectation(NamedTuple):
    """A run on a device, drawn; places in percent."""

    x: str
    width: str
    look: str
    """now, next, resumes, or other: of other people."""
    word: str
    title: str


class DeviceAhead(NamedTuple):
    name: str
    bars: list[Expectation]
    summary: str


class Ahead(NamedTuple):
    rows: list[DeviceAhead]
    hours: list[tuple[str, str]]
    """Where the marks are, in percent, and what stands below them."""


def ahead(planned: Sequence[Planned], user: User) -> Ahead:
    """A superuser sees whose each piece is; others their own, and that the rest is taken."""
    runs = Run.objects.within_reach_of(user).filter(pk__in={piece.run for piece in planned})
    names = {run: f"{run} · {owner}" for run, owner in runs.values_list("pk", "owner__username")}
    devices: dict[tuple[str, int], list[Planned]] = {}
    for piece in planned:
        devices.setdefault((piece.kind, piece.number), []).append(piece)
    order = sorted(devices, key=lambda device: ([*KINDS].index(device[0]), device[1]))
    rows = [row_of(f"{KINDS[kind]} {n + 1}", devices[kind, n], names) for kind, n in order]
    marks = [
        (f"{100 * hour / HOURS_AHEAD:.2f}%", f"in {hour} h" if hour else "now")
        for hour in range(HOURS_AHEAD + 1)
    ]
    return Ahead(rows, marks)


def row_of(name: str, pieces: Sequence[Planned], names: Mapping[int, str]) -> DeviceAhead:
    bars: list[Expectation] = []
    paused: set[int] = set()
    for piece in pieces:
        bars.append(bar_of(piece, names.get(piece.run, ""), resumes=piece.run in paused))
        if piece.is_paused:
            paused.add(piece.run)
    return DeviceAhead(name, bars, f"{name}: " + ", then ".join(bar.title for bar in bars))


def bar_of(piece: Planned, name: str, *, resumes: bool) -> Expectation:
    end = min(piece.end, SECONDS)
    width = max(LEAST_WIDTH, 100 * (end - piece.begin) / SECONDS)
    look = "now" if not piece.begin else "resumes" if resumes else "next"
    who = f"run {name.replace(' · ', ' of ')}" if name else "a run of other people"
    return Expectation(
        f"{100 * piece.begin / SECONDS:.2f}%",
        f"{width:.2f}%",
        look if name else "other",
        name if width >= WIDE_ENOUGH else "",
        f"{who} {when(piece, resumes=resumes)}",
    )


def when(piece: Planned, *, resumes: bool) -> str:
    """From when to when, in words."""
    begin = f"in {duration(piece.begin)}" if piece.begin else "now"
    if piece.is_paused:
        ends = f", makes room in {duration(piece.end)}"
    elif piece.end < SECONDS:
        ends = f", until in {duration(piece.end)}"
    else:
        ends = ", beyond these hours"
    return f"{'again ' if resumes else ''}{begin}{ends}"
