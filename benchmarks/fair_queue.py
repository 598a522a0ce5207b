"""Fairness of the queue in a simulation of 50 users and 5,000 runs, beside two other policies.

Ten users send 250 runs each in three bursts (median 30 minutes), forty send 62 or 63 at any time
of nine days (median 5 minutes); three CPUs and two GPUs, three users of weight 2. Jain's index
J = (Σx)²/(nΣx²) of two x, for "fair" is not one thing:
(a) device-seconds received / entitled, at the end of each day; entitled is what a fluid server
    would have given that shares max-min by weight, a run one device at most;
(b) device-seconds / weight among users who had, all through a window of four hours, at least as
    many unfinished runs as there are devices of that kind.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jobs.scheduling.fairness import jain
from jobs.scheduling.policy import Candidate, fair, longest_wait
from jobs.scheduling.simulation import Job, Simulation

DEVICES = {"cpu": 3, "gpu": 2}
DAY, WINDOW = 86_400.0, 14_400.0
HEAVY, USERS = 10, 50
SEEDS = (1, 2, 3)
PAUSE_COST = 20.0


def first_come(candidate: Candidate) -> tuple[float | int | str, ...]:
    return (candidate.arrival, candidate.run)


def round_robin(candidate: Candidate) -> tuple[float | int | str, ...]:
    return (candidate.served, candidate.arrival, candidate.user)


POLICIES: dict[str, dict[str, Any]] = {
    "first come first served": {"policy": first_come},
    "round robin over users": {"policy": round_robin},
    "fair, no pause": {"policy": fair},
    "fair, quantum 15 min": {"policy": fair, "quantum": 900.0, "pause_cost": PAUSE_COST},
    "fair, quantum 5 min": {"policy": fair, "quantum": 300.0, "pause_cost": PAUSE_COST},
}


def workload(seed: int) -> list[Job]:
    rng = np.random.default_rng(seed)
    jobs: list[Job] = []
    for user in range(USERS):
        is_heavy = user < HEAVY
        for _ in range(250 if is_heavy else 62 + user % 2):
            kind = "gpu" if rng.random() < 0.4 else "cpu"
            need = np.round(rng.lognormal(np.log(1800 if is_heavy else 300), 0.8), 1)
            arrival = (
                rng.choice([0, 3, 6]) * DAY + rng.random() * 3600
                if is_heavy
                else rng.random() * 9 * DAY
            )
            number = len(jobs)
            jobs.append(
                Job(number, f"u{user:02d}", (kind,), float(np.round(arrival, 1)), float(need))
            )
    return jobs


WEIGHTS = {f"u{user:02d}": 2.0 if user in {0, 20, 21} else 1.0 for user in range(USERS)}


class Fluid:
    """A server of one kind of device that shares max-min by weight, a run one device at most."""

    def __init__(self, jobs: Sequence[Job], devices: int, weights: Mapping[Any, float]) -> None:
        self.coming = sorted(jobs, key=lambda job: job.arrival)
        self.devices, self.weights = float(devices), weights
        self.open: dict[Any, list[float]] = defaultdict(list)
        self.got: dict[Any, float] = defaultdict(float)
        self.now = 0.0

    def received_by(self, mark: float) -> dict[Any, float]:
        """Device-seconds of each user until `mark`; marks must rise."""
        while self.now < mark - 1e-9:
            while self.coming and self.coming[0].arrival <= self.now + 1e-9:
                job = self.coming.pop(0)
                self.open[job.user].append(job.need)
            rates = self.rates()
            nexts = [mark, *(job.arrival for job in self.coming[:1])]
            nexts += [self.now + time for user in rates for time in self.ends(user, rates[user])]
            self.flow(rates, min(nexts) - self.now)
        return dict(self.got)

    def rates(self) -> dict[Any, float]:
        found: dict[Any, float] = {}
        free, users = self.devices, set(self.open)
        while users:
            share = free / sum(self.weights[user] for user in users)
            full = [u for u in users if len(self.open[u]) <= share * self.weights[u] + 1e-12]
            if not full:
                return found | {user: share * self.weights[user] for user in users}
            for user in full:
                found[user] = float(len(self.open[user]))
                free -= found[user]
            users -= set(full)
        return found

    def ends(self, user: Any, rate: float) -> list[float]:
        """When each run of a user that is served would end: the first ones first."""
        found = []
        for need in self.open[user]:
            if rate <= 1e-12:
                break
            found.append(need / min(1.0, rate))
            rate -= 1.0
        return found

    def flow(self, rates: Mapping[Any, float], seconds: float) -> None:
        self.now += seconds
        for user, rate in rates.items():
            self.got[user] += rate * seconds
            speeds = np.clip(rate - np.arange(len(self.open[user])), 0.0, 1.0)
            left = [
                need - speed * seconds
                for need, speed in zip(self.open[user], speeds, strict=True)
                if need - speed * seconds > 1e-6
            ]
            if left:
                self.open[user] = left
            else:
                del self.open[user]


def within(
    pieces: Sequence[tuple[float, float, str]], begin: float, end: float, kind: str
) -> float:
    return sum(max(0.0, min(t, end) - max(s, begin)) for s, t, k in pieces if k == kind)


def by_entitlement(jobs: Sequence[Job], done: Simulation) -> list[float]:
    """(a), day by day."""
    fluids = [
        Fluid([job for job in jobs if kind in job.kinds], count, WEIGHTS)
        for kind, count in DEVICES.items()
    ]
    found = []
    for day in range(1, 10):
        entitled: dict[Any, float] = defaultdict(float)
        for fluid in fluids:
            for user, seconds in fluid.received_by(day * DAY).items():
                entitled[user] += seconds
        shares = [
            sum(within(done.used[user], 0.0, day * DAY, kind) for kind in DEVICES) / seconds
            for user, seconds in entitled.items()
            if seconds > 0
        ]
        found.append(jain(shares))
    return found


def among_backlogged(jobs: Sequence[Job], done: Simulation) -> float:
    """(b), the mean over windows and kinds, by the number of users in each."""
    found, sizes = [], []
    for kind, count in DEVICES.items():
        mine = [job for job in jobs if kind in job.kinds]
        for begin in np.arange(0, max(job.end or 0.0 for job in jobs), WINDOW):
            live: dict[Any, int] = defaultdict(int)
            for job in mine:
                live[job.user] += job.arrival <= begin and (job.end or 0.0) >= begin + WINDOW
            shares = [
                within(done.used[user], begin, begin + WINDOW, kind) / WEIGHTS[user]
                for user, number in live.items()
                if number >= count
            ]
            if len(shares) >= 2 and sum(shares) > 0:
                found.append(jain(shares))
                sizes.append(len(shares))
    return float(np.average(found, weights=sizes))


def share_of_bound(jobs: Sequence[Job], quantum: float) -> tuple[float, int]:
    """The longest wait as a share of its bound, among runs whose user had none of their kind.

    Active are those who were there at any time between the run's arrival and its start.
    """
    worst, number = 0.0, 0
    for kind, count in DEVICES.items():
        mine = [job for job in jobs if kind in job.kinds]
        for job in mine:
            if any(o.user == job.user and o.arrival < job.arrival <= (o.end or 0.0) for o in mine):
                continue
            first = job.first or 0.0
            there = {o.user for o in mine if o.arrival <= first and (o.end or 0.0) >= job.arrival}
            heaviest = max(WEIGHTS[user] for user in there)
            bound = longest_wait(
                quantum,
                active=len(there),
                devices=count,
                weight=WEIGHTS[job.user],
                heaviest=heaviest,
            )
            worst, number = max(worst, (first - job.arrival) / bound), number + 1
    return worst, number


class Figures(NamedTuple):
    entitled_mean: float
    entitled_worst: float
    backlogged: float
    wait_median: float
    wait_p95: float
    pauses: float
    lost_percent: float


def measure(options: Mapping[str, Any], seed: int) -> tuple[Figures, list[Job]]:
    jobs = workload(seed)
    done = Simulation(DEVICES, WEIGHTS, **options)
    done.arrive(jobs)
    done.run()
    days = by_entitlement(jobs, done)
    light = [(job.first or 0.0) - job.arrival for job in jobs if int(str(job.user)[1:]) >= HEAVY]
    return Figures(
        float(np.mean(days)),
        min(days),
        among_backlogged(jobs, done),
        float(np.median(light)) / 60,
        float(np.quantile(light, 0.95)) / 60,
        sum(job.pauses for job in jobs),
        100 * done.lost / sum(job.need for job in jobs),
    ), jobs


def main(seeds: Sequence[int]) -> None:
    heads = (
        "policy",
        "J(a) mean",
        "worst day",
        "J(b)",
        "light: median",
        "p95 min",
        "pauses",
        "lost",
    )
    print(" | ".join(heads))
    for name, options in POLICIES.items():
        began = time.perf_counter()
        measured = [measure(options, seed) for seed in seeds]
        mean = Figures(*np.mean([figures for figures, _ in measured], axis=0))
        print(
            f"{name} | {mean.entitled_mean:.4f} | {mean.entitled_worst:.4f} | "
            f"{mean.backlogged:.3f} | {mean.wait_median:.1f}, {mean.wait_p95:.1f} | "
            f"{mean.pauses:,.0f} | {mean.lost_percent:.2f} %"
            f"   ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
        if quantum := options.get("quantum"):
            bounds = [share_of_bound(jobs, quantum) for _, jobs in measured]
            shares = ", ".join(f"{worst:.2f} of it ({number} runs)" for worst, number in bounds)
            print(f"    longest wait beside its bound, seed by seed: {shares}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or SEEDS)
