"""The policy and its simulation: traces computed apart from it, and what holds for every queue."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fair_queue import first_come, jain, round_robin
from jobs.scheduling.policy import fair
from jobs.scheduling.simulation import Job, Simulation

VECTORS = json.loads(Path(__file__).with_name("fair_queue.json").read_text())
POLICIES = {"fcfs": first_come, "rr": round_robin, "sfq": fair}


def jobs_of(rows: list[dict[str, Any]]) -> list[Job]:
    return [Job(r["run"], r["user"], (r["kind"],), r["arrival"], r["need"]) for r in rows]


@pytest.mark.parametrize("said", VECTORS["traces"], ids=lambda said: str(list(said.values())[:-1]))
def test_a_trace_that_was_computed_apart(said: dict[str, Any]) -> None:
    """By the reference scheduler: nine runs of three users, one device of each kind."""
    options = {"quantum": said.get("quantum"), "pause_cost": said.get("pause_cost", 0.0)}
    policy = POLICIES[said["policy"]]
    done = Simulation(VECTORS["devices"], VECTORS["weights"], policy=policy, **options)
    done.arrive(jobs_of(VECTORS["runs"]))
    done.run()
    assert [happening[1:] for happening in done.trace] == [tuple(h[1:]) for h in said["trace"]]
    times = [happening[0] for happening in said["trace"]]
    assert [happening.time for happening in done.trace] == pytest.approx(times, abs=1e-9)


@pytest.mark.parametrize("said", VECTORS["jain"])
def test_jains_index(said: dict[str, Any]) -> None:
    assert jain(said["x"]) == pytest.approx(said["index"], abs=1e-9)


some_jobs = st.lists(
    st.builds(
        Job,
        number=st.just(0),
        user=st.sampled_from("abcd"),
        kinds=st.sampled_from([("cpu",), ("gpu",), ("cpu", "gpu")]),
        arrival=st.integers(0, 300).map(float),
        need=st.integers(1, 200).map(float),
        priority=st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=25,
)
some_weights = st.fixed_dictionaries({user: st.sampled_from([0.5, 1.0, 2.0]) for user in "abcd"})


@given(some_jobs, some_weights, st.sampled_from([None, 20.0]), st.sampled_from([1, 2]))
def test_every_run_is_done_once_and_no_device_idles_while_one_waits(
    jobs: list[Job], weights: dict[str, float], quantum: float | None, count: int
) -> None:
    for number, job in enumerate(jobs):
        job.number = number
    devices = {"cpu": count, "gpu": 1}
    done = Simulation(devices, weights, quantum=quantum)
    done.arrive(jobs)
    done.run()
    ends = [h.run for h in done.trace if h.event == "end"]
    assert sorted(ends) == list(range(len(jobs)))
    assert sum(end - begin for pieces in done.used.values() for begin, end, _ in pieces) == (
        pytest.approx(sum(job.need for job in jobs))
    )
    for job in jobs:
        assert job.first is not None
        for kind in job.kinds:
            assert busy_all_through(done, kind, devices[kind], job.arrival, job.first)


class Plain(Simulation):
    """Looks at everybody each time."""

    def choose(self, kind: str) -> Any:
        running = self.running_time(kind)
        found = (self.candidate(kind, user, running.get(user, 0.0)) for user in self.waiting)
        return min(filter(None, found), key=self.policy, default=None)


@given(
    some_jobs,
    some_jobs,
    some_weights,
    st.sampled_from([None, 5.0, 20.0]),
    st.sampled_from([*POLICIES]),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 100).map(float)),
)
def test_what_is_known_already_is_not_decided_otherwise(
    jobs: list[Job],
    there: list[Job],
    weights: dict[str, float],
    quantum: float | None,
    policy: str,
    accounts: dict[str, float],
) -> None:
    for number, job in enumerate([*jobs, *there]):
        job.number = number
    traces = []
    for kind in (Plain, Simulation):
        options = {"quantum": quantum, "policy": POLICIES[policy], "pause_cost": 2.0}
        made = kind({"cpu": 2, "gpu": 1}, weights, **options)
        made.virtual.update({("cpu", user): had for user, had in accounts.items()})
        made.wait(copy(job) for job in there)
        made.arrive(copy(job) for job in jobs)
        made.run(2_000)
        traces.append(made.trace)
    assert traces[0] == traces[1]


def busy_all_through(done: Simulation, kind: str, count: int, begin: float, end: float) -> bool:
    pieces = [piece for found in done.used.values() for piece in found if piece[2] == kind]
    worked = sum(max(0.0, min(t, end) - max(s, begin)) for s, t, _ in pieces)
    return worked >= count * (end - begin) - 1e-6


@given(some_jobs, some_weights)
def test_a_run_is_never_paused_before_its_quantum(
    jobs: list[Job], weights: dict[str, float]
) -> None:
    for number, job in enumerate(jobs):
        job.number = number
    done = Simulation({"cpu": 1, "gpu": 1}, weights, quantum=20.0)
    done.arrive(jobs)
    done.run()
    began: dict[int, float] = {}
    for happening in done.trace:
        if happening.event == "start":
            began[happening.run] = happening.time
        elif happening.event == "pause":
            assert happening.time - began[happening.run] >= 20.0 - 1e-6


def test_who_worked_alone_does_not_pay_for_it() -> None:
    """Hours alone, a silence; then one who is new and one who comes back share evenly."""
    done = Simulation({"cpu": 1}, {"old": 1.0, "new": 1.0}, quantum=10.0)
    alone = 3e4
    done.arrive([Job(1, "old", ("cpu",), 0.0, alone)])
    done.arrive([Job(n, "new", ("cpu",), alone + 10, 100.0) for n in range(2, 12)])
    back = Job(12, "old", ("cpu",), alone + 11, 5.0)
    done.arrive([back])
    done.run()
    assert back.first is not None
    assert back.first - back.arrival <= 20.0
