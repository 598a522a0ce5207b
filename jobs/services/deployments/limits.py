"""Limits of a deployment: requests and tokens a minute, requests at once.

The generic cell rate algorithm (ITU-T I.371, as a leaky bucket that keeps one number): a limit of n
a minute lets n come at once, then one each 60/n seconds, and knows to the millisecond when the next
may come. Libraries (limits, throttled-py) charge a request as it comes; tokens are known when the
answer ends, so here a charge may also be made behind.

All limits are asked in one step in Redis, so that two requests at once can't both be the last.
"""

from __future__ import annotations

import logging
import math
from uuid import UUID

import redis

from jobs.inference_queue.redis import connection
from jobs.inference_queue.requests import QueueAwayError
from jobs.models import Deployment
from maxaillm.dev.finetune.errors import FineTuneError

MINUTE_MS = 60_000
logger = logging.getLogger(__name__)
SLOT_MS = 3_600_000
"""A request whose process died gives its place back after so long."""
REFUSED_SECONDS = 3 * 24 * 3600
ADMIT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function level(key) return math.max(tonumber(redis.call('GET', key) or now), now) end
local function refuse(limit, wait)
  redis.call('HINCRBY', KEYS[4], ARGV[5], 1)
  redis.call('EXPIRE', KEYS[4], ARGV[6])
  return {limit, math.ceil(wait)}
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return refuse('concurrent', 1000) end
local step = 60000 / tonumber(ARGV[1])
local wait = level(KEYS[1]) + step - now - 60000
if wait > 0.5 then return refuse('requests', wait) end
if tonumber(ARGV[2]) > 0 then
  local owed = level(KEYS[2]) - now - 60000
  if owed >= 0 then return refuse('tokens', owed + 1) end
end
redis.call('SET', KEYS[1], level(KEYS[1]) + step, 'PX', 120000)
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[7]), ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return {'', 0}
"""
CHARGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local level = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + tonumber(ARGV[1])
redis.call('SET', KEYS[1], level, 'PX', math.ceil(level - now) + 60000)
"""
WORDS = {
    "requests": "{0.requests_per_minute:,} requests a minute",
    "tokens": "{0.tokens_per_minute:,} tokens a minute",
    "concurrent": "{0.concurrent:,} requests at once",
}


class OverLimitError(FineTuneError):
    """More than the deployment's limits allow."""

    code = "rate_limit_exceeded"
    status = 429

    def __init__(self, deployment: Deployment, limit: str, wait_ms: int) -> None:
        self.retry_after = max(1, math.ceil(wait_ms / 1000))
        words = WORDS[limit].format(deployment)
        super().__init__(
            f"The deployment {deployment.name!r} takes {words}.",
            f"Try again in {self.retry_after} s.",
        )


def key_of(deployment: Deployment, what: str) -> str:
    return f"deployment:{deployment.pk}:{what}"


def admit(deployment: Deployment, request: UUID, key: int | None) -> None:
    """Let a request in. Raises OverLimitError, which is counted for the key of that number."""
    names = [key_of(deployment, what) for what in ("requests", "tokens", "open", "refused")]
    given = [
        deployment.requests_per_minute, deployment.tokens_per_minute, deployment.concurrent,
        request.hex, key or 0, REFUSED_SECONDS, SLOT_MS,
    ]  # fmt: skip
    try:
        with connection() as client:
            limit, wait = client.eval(ADMIT, len(names), *names, *given)
    except redis.ConnectionError as error:
        raise QueueAwayError(
            "The queue of the inference worker can't be reached.", "Try again in a minute."
        ) from error
    if limit:
        raise OverLimitError(deployment, limit.decode(), int(wait))


def leave(deployment: Deployment, request: UUID, tokens: int) -> None:
    """Give the place of an admitted request back, and charge its tokens."""
    try:
        with connection() as client:
            client.zrem(key_of(deployment, "open"), request.hex)
            if deployment.tokens_per_minute and tokens:
                cost = tokens * MINUTE_MS / deployment.tokens_per_minute
                client.eval(CHARGE, 1, key_of(deployment, "tokens"), cost)
    except redis.ConnectionError as error:  # its places are forgotten with it, or after SLOT_MS
        logger.warning("Redis can't be reached: %s", error)


def take_refused(deployment: Deployment) -> dict[int | None, int]:
    """Requests over a limit since they were asked for last, by the number of their key."""
    name = key_of(deployment, "refused")
    try:
        with connection() as client:
            pipe = client.pipeline()
            pipe.hgetall(name)
            pipe.delete(name)
            found, _ = pipe.execute()
    except redis.ConnectionError:
        return {}
    return {int(key) or None: int(count) for key, count in found.items()}
