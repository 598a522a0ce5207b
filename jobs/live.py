"""Live updates: notifies open pages that a run changed. What changed is in the database."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import Any, NamedTuple

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 0.2
MAX_EVENTS_ALONG = 200


def group_of_run(run_id: int) -> str:
    return f"run.{run_id}"


def group_of_user(user_id: int) -> str:
    return f"user.{user_id}"


def announce_notice(user_id: int) -> None:
    """Say to the open pages of somebody that there is a notice for them."""
    announcer_of_process().put_notice(user_id)


class Notification(NamedTuple):
    """Events `first` to `last` are new; without any, only the run's own row changed."""

    first: int
    last: int
    events: list[dict[str, Any]] | None

    def merged_with(self, later: Notification) -> Notification:
        """Both in one; the events ride along only where they are few and without a gap."""
        if self.last < self.first:
            return later
        if later.last < later.first:
            return self
        events = None
        if self.events is not None and later.events is not None and later.first == self.last + 1:
            events = [*self.events, *later.events]
        if events and len(events) > MAX_EVENTS_ALONG:
            events = None
        return Notification(min(self.first, later.first), max(self.last, later.last), events)


def announce(
    run_id: int, first_seq: int, last_seq: int, events: list[dict[str, Any]] | None = None
) -> None:
    """Send word to the pages of a run; at most five times a second, from a thread of its own.

    `first_seq > last_seq` says that there is no new event, only a new state.
    """
    announcer_of_process().put(run_id, Notification(first_seq, last_seq, events))


class Announcer(threading.Thread):
    """One event loop with one connection, whoever announces: opening one a message is slow."""

    def __init__(self) -> None:
        super().__init__(name="announcer", daemon=True)
        self.waiting: dict[int, Notification] = {}
        self.waiting_users: set[int] = set()
        self.lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        self.wake = asyncio.Event()
        self.pid = os.getpid()

    def put(self, run_id: int, notification: Notification) -> None:
        with self.lock:
            earlier = self.waiting.get(run_id)
            self.waiting[run_id] = earlier.merged_with(notification) if earlier else notification
        self.loop.call_soon_threadsafe(self.wake.set)

    def put_notice(self, user_id: int) -> None:
        with self.lock:
            self.waiting_users.add(user_id)
        self.loop.call_soon_threadsafe(self.wake.set)

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Groups of the channel layer and what is to be said to them."""
        with self.lock:
            runs, self.waiting = self.waiting, {}
            users, self.waiting_users = self.waiting_users, set()
        changed = [
            (group_of_run(run_id), {"type": "run.changed", **notification._asdict()})
            for run_id, notification in runs.items()
        ]
        return changed + [(group_of_user(user), {"type": "notice.waits"}) for user in users]

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.send_for_ever())

    async def send_for_ever(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            for group, message in self.take():
                await self.send(group, message)
            await asyncio.sleep(SECONDS_BETWEEN)

    async def send(self, group: str, message: dict[str, Any]) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        try:
            await layer.group_send(group, message)
        except (RedisError, OSError) as error:
            # Nothing is lost: pages read what they lack as soon as they hear anything.
            log.warning("Open pages (%s) could not be told of news: %s", group, error)


_announcer: Announcer | None = None
_lock = threading.Lock()


def announcer_of_process() -> Announcer:
    """The process's announcer, begun at its first word; a forked child begins its own."""
    global _announcer  # noqa: PLW0603
    with _lock:
        if _announcer is None or _announcer.pid != os.getpid():
            _announcer = Announcer()
            _announcer.start()
        return _announcer
