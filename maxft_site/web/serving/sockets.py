"""WebSockets of signed-in people: so many a person, told by a group, and looking by themselves."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import Counter
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import AnonymousUser, User

NOT_FOUND, TOO_MANY, BAD_FRAME, BROKEN = 4404, 4429, 4400, 1011


class PersonalConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """What hears of a group of the channel layer, and looks now and then whatever that says: hints
    can get lost, and access can end."""

    open_sockets: ClassVar[Counter[int]]
    """User -> sockets of this kind that this process holds for them."""
    most_sockets: ClassVar[int] = 60
    tick_seconds: ClassVar[float]

    group = ""
    user: User | AnonymousUser
    ticker: asyncio.Task[None] | None = None
    is_counted = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.open_sockets = Counter()

    @abstractmethod
    async def look(self) -> None:
        """Send what is new, or close where access has ended."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.ticker is not None:
                self.ticker.cancel()
            if self.is_counted:
                self.open_sockets[self.user.pk or 0] -= 1

    async def admit(self, group: str) -> None:
        """Accept who may look, unless they have too many."""
        if self.open_sockets[self.user.pk or 0] >= self.most_sockets:
            await self.close(TOO_MANY)
            return
        self.open_sockets[self.user.pk or 0] += 1
        self.is_counted, self.group = True, group
        # Before anything is read: what is announced from here on is heard or found by a read.
        await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self.ticker = asyncio.create_task(self.tick())

    async def disconnect(self, code: int) -> None:
        if self.is_counted:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def tick(self) -> None:
        try:
            while True:
                await asyncio.sleep(self.tick_seconds)
                await self.look()
        except Exception:
            await self.close(BROKEN)  # the browser comes back and asks again
            raise
