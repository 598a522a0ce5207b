"""WebSocket of all pages of a person whose browser is to tell of their runs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, ClassVar

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import AnonymousUser, User

from jobs.live import group_of_user
from jobs.notify.words import words_of
from jobs.services import notifications
from maxft_site.web.serving.sessions import is_signed_in

NOT_SIGNED_IN, TOO_MANY, BAD_FRAME = 4404, 4429, 4400
FRAME_CHARS = 200
SOCKETS_PER_USER = 60
TICK_SECONDS = 30.0


class NoticeConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Out: {"id", "title", "text", "path"}, each notice that no page has shown. In: {"shown": id}.

    Several open pages get the same notice; the browser shows those with one tag once.
    """

    open_sockets: ClassVar[Counter[int]] = Counter()
    user: User | AnonymousUser
    ticker: asyncio.Task[None] | None = None
    is_counted = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.ticker is not None:
                self.ticker.cancel()
            if self.is_counted:
                self.open_sockets[self.user.pk or 0] -= 1

    async def connect(self) -> None:
        self.user, self.sent = self.scope["user"], set[int]()
        if not await self.may_look():
            await self.close(NOT_SIGNED_IN)
        elif self.open_sockets[self.user.pk or 0] >= SOCKETS_PER_USER:
            await self.close(TOO_MANY)
        else:
            self.open_sockets[self.user.pk or 0] += 1
            self.is_counted = True
            await self.channel_layer.group_add(group_of_user(self.user.pk or 0), self.channel_name)
            await self.accept()
            self.ticker = asyncio.create_task(self.tick())

    async def disconnect(self, code: int) -> None:
        if self.is_counted:
            group = group_of_user(self.user.pk or 0)
            await self.channel_layer.group_discard(group, self.channel_name)

    async def tick(self) -> None:
        """Hints can get lost and access can end: look for both, whatever the layer says."""
        while True:
            await self.notice_waits()
            await asyncio.sleep(TICK_SECONDS)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            number = json.loads((text_data or "")[:FRAME_CHARS])["shown"]
        except (ValueError, TypeError, KeyError, RecursionError):
            number = None
        if isinstance(number, int) and number in self.sent:
            await database_sync_to_async(notifications.shown)(self.user.pk or 0, number)
        elif number is None:
            await self.close(BAD_FRAME)

    async def notice_waits(self, message: dict[str, Any] | None = None) -> None:
        """A hint from the channel layer, or the time to look."""
        if not await self.may_look():
            await self.close(NOT_SIGNED_IN)
            return
        for notice in await self.waiting():
            if notice["id"] not in self.sent:
                self.sent.add(notice["id"])
                await self.send(text_data=json.dumps(notice))

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def may_look(self) -> bool:
        return is_signed_in(self.user, self.scope["session"].session_key)

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def waiting(self) -> list[dict[str, Any]]:
        found = []
        for notice in notifications.for_browser(self.user.pk or 0):
            title, text, _ = words_of(notice)
            path = notice.run.get_absolute_url() if notice.run else ""
            found.append({"id": notice.pk, "title": title, "text": text, "path": path})
        return found
