"""Start-time fair queueing of runs over device-seconds, with weights and a quantum.

Each user has an account for each kind of device. Its virtual time grows by device-seconds divided
by the user's weight, as they are used. A free device takes a run of the user whose virtual time is
least. One who comes back is lifted to the least of those who are there, so that nobody saves up
time by being away. Times are seconds.
Source: Goyal, Vin and Cheng, "Start-time Fair Queueing", 1996; Linux's CFS calls it vruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import NamedTuple

TICK = 1e-9
"""Times that differ by less are the same: sums of floating-point numbers are not exact."""


class Candidate(NamedTuple):
    """A user of whom a run waits for a kind of device, and that run."""

    user: int | str
    virtual: float
    """Virtual time of the user's account, what runs now included."""
    arrival: float
    run: int
    priority: int = 0
    served: int = 0
    """The number of starts before the user was served last: for policies that take turns."""


Policy = Callable[[Candidate], tuple[float | int | str, ...]]
"""The candidate whose tuple is least is taken."""


def fair(candidate: Candidate) -> tuple[float | int | str, ...]:
    """Priority first, then the least virtual time; ties by arrival, then by name."""
    virtual = round(candidate.virtual, 9)
    return (-candidate.priority, virtual, candidate.arrival, candidate.user)


def lifted(own: float, active: Iterable[float], clock: float = 0.0) -> float:
    """The virtual time of a user who comes back: no less than the least of the `active` ones.

    Where nobody is there, `clock` decides, the largest virtual time that any account has reached:
    else one who had worked alone would pay for it to whoever came first after the silence.
    """
    return max(own, min(active, default=clock))


def must_make_room(
    running: Candidate, waiting: Candidate | None, *, quantum: float, weight: float
) -> bool:
    """Whether a run that has had its quantum is paused for `waiting`, the first of those who wait.

    It is where that one has a higher priority, or is more than a quantum, by the running user's
    weight, behind.
    """
    if waiting is None or waiting.user == running.user or waiting.priority < running.priority:
        return False
    ahead = running.virtual - waiting.virtual
    return waiting.priority > running.priority or ahead > quantum / weight - TICK


def longest_wait(
    quantum: float, *, active: int, devices: int, weight: float, heaviest: float
) -> float:
    """Within how many seconds a run starts whose user had none of this kind, with a quantum.

    `active`: users who are there, `heaviest`: the largest weight among them. Reasoned, not proved;
    benchmarks/fair_queue.py prints how near the waits came.
    """
    return quantum * (1 + ceil(active * (heaviest / weight) / devices))
