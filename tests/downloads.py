"""What a download sends."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse


@async_to_sync
async def whole(response: StreamingHttpResponse) -> bytes:
    """All of it, part by part."""
    return b"".join([part async for part in response])
