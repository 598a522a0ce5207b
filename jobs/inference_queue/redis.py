"""Connections to Redis, for commands that may wait long for an answer."""

import redis
import redis.asyncio
from django.conf import settings

# redis-py 8 gives up on an answer after five seconds, which breaks commands that block.


def connection() -> redis.Redis:
    """A client of the site's Redis with connections of its own."""
    client: redis.Redis = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
    return client


def async_connection() -> redis.asyncio.Redis:
    """The same for asyncio; it belongs to the event loop that first uses it."""
    url = settings.REDIS_URL
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(url, socket_timeout=None)
    return client
