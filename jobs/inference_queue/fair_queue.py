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
local taken = {}
for _, id in ipairs(redis.call('ZPOPMIN', KEYS[1], ARGV[1])) do
  table.insert(taken, id)
end
local ids = {}
for at = 1, #taken, 2 do
  table.insert(ids, taken[at])
  redis.call('RPUSH', KEYS[2], taken[at])
  redis.call('SET', KEYS[3], taken[at + 1])
end
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('DEL', KEYS[3], KEYS[4], KEYS[5]) end
return ids
"""
"""The next requests, moved to the list of what runs. Where none waits any more, lanes are even."""


def last_start(client: Client, lane: str) -> float:
    """The virtual time behind which the next request of `lane` starts."""
    return max(float(client.get(CLOCK) or 0), float(client.hget(LANES, lane) or 0))


def add(pipe: Pipeline, ids: Sequence[str], lane: str, last: float) -> None:
    """Let requests wait in `lane` behind `last`; done when the pipeline is executed."""
    pipe.zadd(WAITING, {name: last + number for number, name in enumerate(ids, 1)})
    pipe.hset(LANES, lane, str(last + len(ids)))
    pipe.rpush(SIGNALS, *ids)


def take(client: Client, running: str, seconds: float, count: int = 1) -> list[str]:
    """Move the next requests to the list `running`; waits so many `seconds` for one, 0: not."""
    # A signal whose request was taken before wakes a worker for nothing, which does no harm.
    if seconds:
        client.blpop([SIGNALS], seconds)
    found = client.eval(TAKE, 5, WAITING, running, CLOCK, LANES, SIGNALS, count)
    return [id.decode() for id in found]


def waiting(client: Client) -> list[bytes]:
    found: list[bytes] = client.zrange(WAITING, 0, -1)
    return found
