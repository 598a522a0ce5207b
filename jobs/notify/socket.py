"""WebSocket of all pages of a person whose browser is to tell of their runs."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from channels.db import database_sync_to_async

from jobs.live import group_of_user
from jobs.notify.words import words_of
from jobs.services import notifications
from maxft_site.web.serving.sessions import is_signed_in
from maxft_site.web.serving.sockets import BAD_FRAME, NOT_FOUND, PersonalConsumer

FRAME_CHARS = 200


class NoticeConsumer(PersonalConsumer):
    """Out: {"id", "title", "text", "path"}, each notice that no page has shown. In: {"shown": id}.

    Several open pages get the same notice; the browser shows those with one tag once.
    """

    tick_seconds: ClassVar[float] = 30.0

    async def connect(self) -> None:
        self.user, self.sent = self.scope["user"], set[int]()
        if not await self.may_look():
            await self.close(NOT_FOUND)
            return
        await self.admit(group_of_user(self.user.pk or 0))
        if self.is_counted:
            await self.look()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            number = json.loads((text_data or "")[:FRAME_CHARS])["shown"]
        except (ValueError, TypeError, KeyError, RecursionError):
            number = None
        if isinstance(number, int) and number in self.sent:
            await database_sync_to_async(notifications.shown)(self.user.pk or 0, number)
        elif number is None:
            await self.close(BAD_FRAME)

    async def notice_waits(self, message: dict[str, Any]) -> None:
        """A hint from the channel layer."""
        await self.look()

    async def look(self) -> None:
        if not await self.may_look():
            await self.close(NOT_FOUND)
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
