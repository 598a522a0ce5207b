"""Forecast of the queue: in which order what waits will start, when, and why not now.

The same policy decides here as when a worker asks, in a simulation from the present state.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import starmap
from math import inf
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from jobs.models import DeviceAccount, Run
from jobs.scheduling.simulation import Job, Piece, Simulation, Slot
from jobs.services.queue.accounts import active_users, weight_of
from jobs.services.queue.kinds import KINDS, kinds_for
from jobs.services.queue.pauses import paused_by, pauses
from jobs.services.queue.standings import Standings, Waiting
from maxft_site.web.formatting import duration

RESUME_SECONDS = 20.0
"""What a pause is taken to cost: to write a checkpoint, and to load it again."""
QUANTUM_UP_TO = 200
"""With more runs than that, pauses are left out of the forecast: it has to be there at once."""
MOST_EVENTS = 5000
GUESS_SECONDS = 900.0
"""For a run of unknown length, so that an order can be told; no time is foretold behind it."""


class Expected(NamedTuple):
    """What is foretold of a waiting run."""

    place: int
    """Its place among all that wait, from 1."""
    start: datetime | None
    """None where that can't be told: no worker, or a run before it of unknown length."""
    why: str


class Planned(NamedTuple):
    """A piece of device time as it is foretold; times in seconds from now."""

    run: int
    user: int | str
    kind: str
    number: int
    """Of the device, from 0 among those of its kind."""
    begin: float
    end: float
    """Infinite where that is not known."""
    is_paused: bool
    """Whether it makes room then, instead of ending."""


class Forecast(NamedTuple):
    expected: dict[int, Expected]
    """Of every waiting run."""
    planned: list[Planned]
    known_until: float
    """Seconds from now: behind it a run of unknown length is at work."""


def foretell(devices: Mapping[str, int] | None) -> dict[int, Expected]:
    """Every waiting run -> what is foretold of it. `devices`: kind -> how many workers are up;
    None where that is not known just now."""
    return forecast(devices).expected


def forecast(devices: Mapping[str, int] | None, *, ahead: float = 0.0) -> Forecast:
    """The same, with what the devices do in the next `ahead` seconds."""
    waiting = waiting_runs()
    paused = pauses()
    known = {kind: n for kind, n in (devices or {}).items() if n and not paused_by(paused, kind)}
    simulated = Present(waiting, known or {"cpu": 1, "cuda": 1})
    jobs = {job.number: job for jobs in simulated.made.waiting.values() for job in jobs}
    unknown_from = simulated.run_until_started(jobs, ahead)
    standing = Standings(waiting, known, paused)
    found: dict[int, Expected] = {}
    now = timezone.now()
    for place, job in enumerate(simulated.in_order(jobs), start=1):
        is_told = bool(known) and job.first is not None and job.first <= unknown_from
        start = now + timedelta(seconds=job.first or 0.0) if is_told else None
        found[job.number] = Expected(place, start, standing.why(job.number, devices, place))
    planned = simulated.planned(ahead) if known else []
    return Forecast(found, [p for p in planned if p.begin <= unknown_from], unknown_from)


def waiting_runs() -> list[Waiting]:
    columns = ("pk", "owner", "owner__is_superuser", "priority", "queued_at", "needed_seconds")
    rows = Run.objects.waiting().values_list(*columns, "config__provider__name")
    return list(starmap(Waiting, rows))


class Present:
    """A simulation that begins with what works and waits now."""

    def __init__(self, waiting: list[Waiting], devices: Mapping[str, int]) -> None:
        at_work = list(Run.objects.active().select_related("owner"))
        weights: dict[int | str, float] = {run.owner_id: weight_of(run.owner) for run in at_work}
        weights |= {w.owner: settings.OWNER_WEIGHT if w.is_owner else 1.0 for w in waiting}
        quantum = settings.QUANTUM_SECONDS if len(waiting) <= QUANTUM_UP_TO else None
        self.made = Simulation(devices, weights, quantum=quantum or None, pause_cost=RESUME_SECONDS)
        self.unknown: set[int] = set()
        for account in DeviceAccount.objects.all():
            self.made.virtual[account.kind, account.user_id] = account.virtual
        for run in at_work:
            self.occupy(run)
        for row in waiting:
            kinds = kinds_for(row.provider, devices)
            arrival = row.queued_at.timestamp() if row.queued_at else 0.0
            need = self.length_of(row.run, row.needed)
            self.made.wait([Job(row.run, row.owner, kinds, arrival, need, row.priority)])

    def length_of(self, run: int, known: float | None) -> float:
        if known is None:
            self.unknown.add(run)
        return GUESS_SECONDS if known is None else known

    def occupy(self, run: Run) -> None:
        """Put a run that is at work on a device of its kind, if one is left."""
        kind = run.device_kind
        for slot in (Slot(kind, number) for number in range(self.made.devices.get(kind, 0))):
            if slot in self.made.busy:
                continue
            known = run.needed_seconds if run.seconds_left is None else run.seconds_left
            began = run.phases[-1]["started"] if run.phases else time.time()
            had = (time.time() - began) % self.made.quantum if self.made.quantum else 0.0
            need = self.length_of(run.pk, known)
            job = Job(run.pk, run.owner_id, (kind,), 0.0, need, run.priority)
            self.made.occupy(slot, job, had)
            return

    def run_until_started(self, jobs: Mapping[int, Job], ahead: float) -> float:
        """Until every run has started and `ahead` seconds are over. Gives the time from which it is
        guesswork: then a run is at work of which nobody knows how long it takes."""
        self.made.fill(self.made.devices)
        unknown_from, left = inf, MOST_EVENTS
        while self.made.events and left:
            if unknown_from == inf and self.unknown & {
                busy.job.number for busy in self.made.busy.values()
            }:
                unknown_from = self.made.now
            if self.made.now >= ahead and self.have_started(jobs):
                break
            self.made.advance()
            left -= 1
        return unknown_from

    def have_started(self, jobs: Mapping[int, Job]) -> bool:
        return self.made.starts >= len(jobs) and all(j.first is not None for j in jobs.values())

    def planned(self, ahead: float) -> list[Planned]:
        """What the devices do until then."""
        now_busy = ((slot, busy.job, busy.since) for slot, busy in self.made.busy.items())
        pieces = [*self.made.pieces, *(Piece(*one, inf, "end") for one in now_busy)]
        return [
            Planned(job.number, job.user, *slot, begin, self.known_end(job, end), event == "pause")
            for slot, job, begin, end, event in sorted(pieces, key=lambda piece: piece.begin)
            if begin < ahead
        ]

    def known_end(self, job: Job, end: float) -> float:
        return inf if job.number in self.unknown else end

    def in_order(self, jobs: Mapping[int, Job]) -> list[Job]:
        """By their first start; those that never started in it come last."""
        started = {h.run: None for h in self.made.trace if h.event == "start" and h.run in jobs}
        return [jobs[run] for run in started] + [j for pk, j in jobs.items() if pk not in started]


def places() -> dict[int, int]:
    """Waiting run -> its place in the queue, from 1; over the runs of everybody."""
    return {run: expected.place for run, expected in foretell(None).items()}


class Share(NamedTuple):
    """What somebody who is in the queue has had of a kind of device, and was due of it."""

    user: str
    kind: str
    received: float
    entitled: float
    """Device-seconds, were all who are there now even."""

    @property
    def words(self) -> str:
        over = self.received - self.entitled
        where = KINDS.get(self.kind, self.kind)
        if abs(over) < 60:
            return f"{where}: even"
        if over > 0:
            return f"{where}: {duration(over)} over"
        return f"{where}: {duration(-over)} below, before those who are over"

    @property
    def used_width(self) -> str:
        return self.in_percent(self.received)

    @property
    def due_x(self) -> str:
        return self.in_percent(self.entitled)

    def in_percent(self, seconds: float) -> str:
        return f"{100 * seconds / (1.2 * max(self.received, self.entitled, 1.0)):.1f}"


def shares(only: int | None = None) -> list[Share]:
    """Those who wait or work now, by kind; `only` one user's."""
    found: list[Share] = []
    for kind in KINDS:
        accounts = DeviceAccount.objects.filter(kind=kind, user__in=active_users(kind))
        rows = [(account, weight_of(account.user)) for account in accounts.select_related("user")]
        total = sum(weight for _, weight in rows)
        even = sum(account.virtual * weight for account, weight in rows) / total if rows else 0.0
        found += [
            Share(
                account.user.get_username(),
                kind,
                account.device_seconds,
                max(0.0, account.device_seconds - (account.virtual - even) * weight),
            )
            for account, weight in rows
            if only in {None, account.user_id}
        ]
    return found
