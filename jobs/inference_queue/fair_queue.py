"""Fair queue: start-time fair queueing of requests in Redis, so that nobody waits for all that
another one asked.

Requests wait in lanes. Each gets a virtual start time one past the lane's last, but not before
the clock, which shows the start time of the request taken last; the earliest is taken first. So
lanes that wait take turns, and one that was idle earns nothing by it.
Source: Goyal, Vin and Cheng, "Start-time Fair Queueing", 1996, with requests of equal weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.client import Pipeline

Client = Any
"""redis-py types every answer as a union of all that any server may give."""
WAITING = "infer:fair:waiting"
"""Sorted set of ids by virtual start time."""
CLOCK = "infer:fair:clock"
LANES = "infer:fair:lanes"
"""Hash lane -> virtual start time of its last request."""
SIGNALS = "infer:fair:signals"
"""List with an entry a new request: workers wait for one here."""
TAKE = """
local found = redis.call('ZPOPMIN', KEYS[1])
if #found == 0 then return false end
redis.call('RPUSH', KEYS[2], found[1])
if redis.call('ZCARD', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[3], KEYS[4])
else
  redis.call('SET', KEYS[3], found[2])
end
return found[1]
"""
"""The next request, moved to the list of what runs. Where none waits any more, lanes are even."""


def last_start(client: Client, lane: str) -> float:
    """The virtual time behind which the next request of `lane` starts."""
    return max(float(client.get(CLOCK) or 0), float(client.hget(LANES, lane) or 0))


def add(pipe: Pipeline, ids: Sequence[str], lane: str, last: float) -> None:
    """Let requests wait in `lane` behind `last`; done when the pipeline is executed."""
    pipe.zadd(WAITING, {name: last + number for number, name in enumerate(ids, 1)})
    pipe.hset(LANES, lane, str(last + len(ids)))
    pipe.rpush(SIGNALS, *ids)


def take(client: Client, running: str, seconds: float) -> str | None:
    """Move the next request to the list `running`; waits so many `seconds` for one."""
    # A signal whose request was taken back wakes a worker for nothing, which does no harm.
    client.blpop([SIGNALS], seconds)
    found = client.eval(TAKE, 4, WAITING, running, CLOCK, LANES)
    return found.decode() if found else None


def waiting(client: Client) -> list[bytes]:
    found: list[bytes] = client.zrange(WAITING, 0, -1)
    return found
