"""WebSocket of a run page: sends each new event once, replays after a reconnect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, ClassVar, TypedDict

from channels.db import database_sync_to_async

from jobs.live import group_of_run
from jobs.models import Run
from jobs.selectors import EventItem, events_after
from maxaillm.dev.finetune.run.events.payload import payload_class
from maxft_site.web.serving.sessions import is_signed_in
from maxft_site.web.serving.sockets import BAD_FRAME, NOT_FOUND, PersonalConsumer

TOO_SLOW = 4408
FRAME_BYTES = 64 * 1024
BATCH = 500
TICK_SECONDS = 5.0
SEND_SECONDS = 10.0


class RunState(TypedDict):
    status: str
    last_seq: int


class RunConsumer(PersonalConsumer):
    """In: {"after": seq} on every (re)connect. Out: {"events": […], "last": seq, "status": …}."""

    tick_seconds: ClassVar[float] = TICK_SECONDS

    async def connect(self) -> None:
        self.run_id: int = self.scope["url_route"]["kwargs"]["pk"]
        self.user = self.scope["user"]
        self.seen: int | None = None
        self.status = ""
        self.reading = asyncio.Lock()
        if await self.state() is None:
            await self.close(NOT_FOUND)
        else:
            await self.admit(group_of_run(self.run_id))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        after = newest_known(text_data or "")
        if after is None:
            await self.close(BAD_FRAME)
            return
        self.seen = after
        await self.catch_up()

    async def run_changed(self, message: dict[str, Any]) -> None:
        """A hint from the channel layer; it may carry the events, or have come late or twice."""
        async with self.reading:
            if self.seen is None or message["last"] < self.seen:
                return
            events: list[EventItem] | None = message.get("events")
            if events and message["first"] == self.seen + 1:
                await self.deliver(events)
                return
        await self.catch_up()

    async def look(self) -> None:
        await self.catch_up()

    async def catch_up(self) -> None:
        """Send what the database has and the browser lacks."""
        async with self.reading:
            state = await self.state()
            if state is None:
                await self.close(NOT_FOUND)
                return
            if self.seen is None:
                return
            while state["last_seq"] > self.seen:
                events = await database_sync_to_async(events_after)(self.run_id, self.seen, BATCH)
                if not events:
                    break
                await self.deliver(events)
            if state["status"] != self.status:
                self.status = state["status"]
                await self.say({"events": [], "last": self.seen, "status": self.status})

    async def deliver(self, events: list[EventItem]) -> None:
        for batch in frames(events):
            self.seen = batch[-1]["seq"]
            await self.say({"events": batch, "last": self.seen})

    async def say(self, content: dict[str, Any]) -> None:
        """Send one frame; who doesn't read is dropped, and replays when it comes back."""
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        try:
            await asyncio.wait_for(self.send(text_data=text), SEND_SECONDS)
        except TimeoutError:
            await self.close(TOO_SLOW)

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def state(self) -> RunState | None:
        """Where the run stands; None where this socket's user may not see it, or no longer."""
        if not is_signed_in(self.user, self.scope["session"].session_key):
            return None
        runs = Run.objects.within_reach_of(self.user).filter(pk=self.run_id)
        return runs.values("status", "last_seq").first()


def newest_known(text: str) -> int | None:
    """The seq of a frame {"after": 12}; None where it is anything else."""
    if len(text) > FRAME_BYTES:
        return None
    try:
        after = json.loads(text)["after"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return after if isinstance(after, int) and after >= 0 else None


def frames(events: list[EventItem]) -> Iterator[list[dict[str, Any]]]:
    """Batches of events as JSON items, each below FRAME_BYTES."""
    batch: list[dict[str, Any]] = []
    size = 0
    for event in events:
        item = event_item(event)
        length = len(json.dumps(item))
        if batch and size + length > FRAME_BYTES - 1024:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length + 1
    if batch:
        yield batch


def event_item(event: EventItem) -> dict[str, Any]:
    """An event as a page gets it: the data of curves, of others only what they change."""
    declared = payload_class(event["kind"])
    item: dict[str, Any] = {name: event[name] for name in ("seq", "kind", "step", "time")}
    item["section"] = declared.section
    return item | {"data": event["data"]} if declared.carries_numbers else item
