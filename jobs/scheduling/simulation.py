"""Simulation of the queue: what starts, pauses and ends when, by a policy, from any state."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from jobs.scheduling.policy import TICK, Candidate, Policy, fair, lifted, must_make_room
from jobs.scheduling.ranking import Ranking, User

Kind = str


@dataclass
class Job:
    """A run as the simulation sees it; the first of `kinds` with a free device takes it."""

    number: int
    user: User
    kinds: tuple[Kind, ...]
    arrival: float
    need: float
    """Device-seconds."""
    priority: int = 0
    left: float = field(init=False)
    first: float | None = None
    """When it started for the first time."""
    end: float | None = None
    pauses: int = 0

    def __post_init__(self) -> None:
        self.left = self.need


class Happening(NamedTuple):
    time: float
    event: str
    """start, pause or end."""
    run: int
    user: User
    device: str


class Slot(NamedTuple):
    """A device, by its kind and its number among these."""

    kind: Kind
    number: int


class Piece(NamedTuple):
    """Device time of a run; `event` says how it ended."""

    slot: Slot
    job: Job
    begin: float
    end: float
    event: str


class Busy(NamedTuple):
    job: Job
    since: float
    turn: int
    """Tells a slot's jobs apart, so that a tick of an earlier one is known."""


END, ARRIVAL = 0, 1
"""At the same instant what ends comes first."""


class Simulation:
    """Runs on `devices` (kind -> how many), until `advance` finds nothing that is left to do.

    `virtual` are accounts to begin with, `quantum` None lets runs go on to their end, `pause_cost`
    are the seconds that a resumed run loses.
    """

    def __init__(
        self,
        devices: Mapping[Kind, int],
        weights: Mapping[User, float],
        *,
        policy: Policy = fair,
        quantum: float | None = None,
        pause_cost: float = 0.0,
    ) -> None:
        self.devices, self.weights, self.policy = devices, weights, policy
        self.quantum, self.pause_cost = quantum, pause_cost
        self.now, self.lost, self.starts = 0.0, 0.0, 0
        self.virtual: dict[tuple[Kind, User], float] = defaultdict(float)
        self.served: dict[tuple[Kind, User], int] = defaultdict(int)
        self.waiting: dict[User, list[Job]] = {}
        self.busy: dict[Slot, Busy] = {}
        self.trace: list[Happening] = []
        self.pieces: list[Piece] = []
        self.used: dict[User, list[tuple[float, float, Kind]]] = defaultdict(list)
        """(from, to, kind) of each piece of device time."""
        self.events: list[tuple[float, int, int, Job | Slot, int]] = []
        self.scheduled = 0
        self.rankings: dict[Kind, Ranking] = {}

    def arrive(self, jobs: Iterable[Job]) -> None:
        """Let runs come at their times of arrival."""
        for job in jobs:
            self.schedule(job.arrival, ARRIVAL, job)

    def wait(self, jobs: Iterable[Job]) -> None:
        """Runs that wait already, each user's in their own order."""
        for job in jobs:
            self.queue(job, bisect_right)

    def queue(self, job: Job, place: Callable[..., int]) -> None:
        """Let a run wait behind, or before, those of its user that have the same priority."""
        jobs = self.waiting.setdefault(job.user, [])
        jobs.insert(place(jobs, -job.priority, key=lambda other: -other.priority), job)
        self.touch(job.user)

    def occupy(self, slot: Slot, job: Job, had: float = 0.0) -> None:
        """A run that is at work already and has had its device for `had` seconds, in accounts."""
        job.first = self.now
        self.begin(slot, job, max(0.0, (self.quantum or 0.0) - had))

    def run(self, most_events: int | None = None) -> None:
        """Until all has ended, or for so many events."""
        self.fill(self.devices)
        while self.events and most_events != 0:
            self.advance()
            most_events = None if most_events is None else most_events - 1

    def advance(self) -> None:
        self.now, _, _, what, turn = heapq.heappop(self.events)
        if isinstance(what, Job):
            self.come(what)
        elif (busy := self.busy.get(what)) and busy.turn == turn:
            self.look_at(what, busy)

    def come(self, job: Job) -> None:
        for kind in job.kinds:
            if not self.is_active(job.user, kind):
                running = self.running_time(kind)
                others = [self.virtual[kind, u] + running.get(u, 0.0) for u in self.active(kind)]
                clock = max((v for (k, _), v in self.virtual.items() if k == kind), default=0.0)
                key = (kind, job.user)
                self.virtual[key] = lifted(self.virtual[key], others, clock)
        self.queue(job, bisect_right)
        self.fill(job.kinds)

    def look_at(self, slot: Slot, busy: Busy) -> None:
        """At the end of a run, or of a quantum."""
        job, worked = busy.job, self.now - busy.since
        if job.left - worked <= TICK:
            self.leave(slot, busy, "end")
            job.left, job.end = 0.0, self.now
            self.fill([slot.kind])
        elif self.makes_room(slot.kind, job):
            self.leave(slot, busy, "pause")
            job.left -= worked
            job.pauses += 1
            self.lost += self.pause_cost
            self.queue(job, bisect_left)
            self.fill([slot.kind])
        else:
            self.tick(slot, busy, job.left - worked, self.quantum or 0.0)

    def makes_room(self, kind: Kind, job: Job) -> bool:
        if self.quantum is None:
            return False
        standing = self.standing(kind, job.user)
        mine = Candidate(job.user, standing, job.arrival, job.number, job.priority)
        weight = self.weights[job.user]
        return must_make_room(mine, self.choose(kind), quantum=self.quantum, weight=weight)

    def leave(self, slot: Slot, busy: Busy, event: str) -> None:
        job = busy.job
        del self.busy[slot]
        self.virtual[slot.kind, job.user] += (self.now - busy.since) / self.weights[job.user]
        self.touch(job.user)
        self.used[job.user].append((busy.since, self.now, slot.kind))
        self.pieces.append(Piece(slot, job, busy.since, self.now, event))
        self.note(event, job, slot)

    def fill(self, kinds: Iterable[Kind]) -> None:
        """Give what is free to whom the policy names."""
        for kind in kinds:
            for slot in (Slot(kind, number) for number in range(self.devices.get(kind, 0))):
                if slot in self.busy:
                    continue
                chosen = self.choose(kind)
                if chosen is None:
                    break
                self.start(slot, self.take(kind, chosen.user))

    def start(self, slot: Slot, job: Job) -> None:
        self.served[slot.kind, job.user] = self.starts
        self.starts += 1
        if job.first is None:
            job.first = self.now
        if job.pauses:
            job.left += self.pause_cost
        self.begin(slot, job, self.quantum or 0.0)
        self.note("start", job, slot)

    def begin(self, slot: Slot, job: Job, quantum: float) -> None:
        busy = self.busy[slot] = Busy(job, self.now, self.scheduled)
        self.touch(job.user)
        self.tick(slot, busy, job.left, quantum)

    def tick(self, slot: Slot, busy: Busy, left: float, quantum: float) -> None:
        """Look at a slot when its run may have ended, or its quantum is over."""
        seconds = left if self.quantum is None else min(left, quantum)
        self.schedule(self.now + seconds, END, slot, busy.turn)

    def schedule(self, time: float, order: int, what: Job | Slot, turn: int = 0) -> None:
        heapq.heappush(self.events, (time, order, self.scheduled, what, turn))
        self.scheduled += 1

    def choose(self, kind: Kind) -> Candidate | None:
        """The user who is next for a kind of device, with the run that would start."""
        running = self.running_time(kind)
        found = [self.candidate(kind, user, more) for user, more in running.items()]
        found.append(self.ranking(kind).first(running))
        return min(filter(None, found), key=self.policy, default=None)

    def candidate(self, kind: Kind, user: User, more: float = 0.0) -> Candidate | None:
        """What a user has waiting for a kind of device; `more`: virtual time of what runs now."""
        job = first_for(kind, self.waiting.get(user, ()))
        if job is None:
            return None
        virtual, served = self.virtual[kind, user] + more, self.served[kind, user]
        return Candidate(user, virtual, job.arrival, job.number, job.priority, served)

    def ranking(self, kind: Kind) -> Ranking:
        if kind not in self.rankings:
            made = self.rankings[kind] = Ranking(self.policy, partial(self.candidate, kind))
            for user in self.waiting:
                made.touch(user)
        return self.rankings[kind]

    def touch(self, user: User) -> None:
        """Note that something of a user has changed which decides when it is their turn."""
        for ranking in self.rankings.values():
            ranking.touch(user)

    def take(self, kind: Kind, user: User) -> Job:
        jobs = self.waiting[user]
        job = first_for(kind, jobs)
        assert job is not None
        jobs.remove(job)
        if not jobs:
            del self.waiting[user]
        self.touch(user)
        return job

    def standing(self, kind: Kind, user: User) -> float:
        """Virtual time of a user, charged up to now."""
        return self.virtual[kind, user] + self.running_time(kind).get(user, 0.0)

    def running_time(self, kind: Kind) -> dict[User, float]:
        """What runs now has added to virtual times since it began."""
        found: dict[User, float] = defaultdict(float)
        for slot, busy in self.busy.items():
            if slot.kind == kind:
                user = busy.job.user
                found[user] += max(0.0, self.now - busy.since) / self.weights[user]
        return found

    def is_active(self, user: User, kind: Kind) -> bool:
        return user in self.active(kind)

    def active(self, kind: Kind) -> set[User]:
        """Those of whom a run works on, or waits for, a kind of device."""
        at_work = {busy.job.user for slot, busy in self.busy.items() if slot.kind == kind}
        return at_work | {user for user, jobs in self.waiting.items() if first_for(kind, jobs)}

    def note(self, event: str, job: Job, slot: Slot) -> None:
        device = f"{slot.kind}{slot.number}"
        self.trace.append(Happening(self.now, event, job.number, job.user, device))


def first_for(kind: Kind, jobs: Sequence[Job]) -> Job | None:
    """The first of a user's runs that a device of this kind can carry out."""
    return next((job for job in jobs if kind in job.kinds), None)
