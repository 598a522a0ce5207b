"""Files that are served: bit by bit, from where an interrupted download is to go on.

Ranges as RFC 9110 has them (one at a time), and the SHA-256 in `Repr-Digest` (RFC 9530), so that
who fetches a file can go on after a break and knows in the end that it is whole.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

PIECE_BYTES = 2**18
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Span(NamedTuple):
    """Which bytes of a file: from `start` up to, without, `end`."""

    start: int
    end: int


async def pieces(path: Path, span: Span) -> AsyncIterator[bytes]:
    """Bytes of a file bit by bit: served at once they would lie in memory."""
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(span.start)
        while (left := span.end - file.tell()) > 0:
            piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, left))
            if not piece:
                return
            yield piece


def attachment(file_name: str) -> str:
    return content_disposition_header(as_attachment=True, filename=file_name) or "attachment"


def serve_file(
    request: HttpRequest, path: Path, *, name: str, sha256: str = ""
) -> HttpResponseBase:
    """A file to be saved, never shown: it may be HTML or SVG. Raises FileNotFoundError.

    `sha256` is that of the whole file, in hexadecimal digits, where it is known.
    """
    stat = path.stat()
    tag = f'"{sha256}"' if sha256 else f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"'
    response = bytes_asked(request, path, stat.st_size, tag)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Disposition": attachment(name),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if sha256:
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers["Repr-Digest"] = f"sha-256=:{digest}:"
    for header, value in headers.items():
        response.headers[header] = value
    return response


def bytes_asked(request: HttpRequest, path: Path, size: int, tag: str) -> HttpResponseBase:
    """The whole file (200), the bytes that are asked for (206), or that there are none (416)."""
    span = asked_span(request, size, tag)
    if span is not None and span.start >= span.end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    found = span or Span(0, size)
    headers = {"Content-Length": str(found.end - found.start)}
    if span:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return StreamingHttpResponse(
        pieces(path, found),
        status=206 if span else 200,
        content_type="application/octet-stream",
        headers=headers,
    )


def asked_span(request: HttpRequest, size: int, tag: str) -> Span | None:
    """The bytes that are asked for; empty where there are none such, None for the whole file, as
    also where the file is another than the one that the asker has the beginning of."""
    match = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.headers.get("If-Range", tag) != tag:
        return None
    first, last = match.groups()
    if not first:
        return Span(max(0, size - int(last)), size) if last else None
    start = int(first)
    if last and int(last) < start:
        return None
    return Span(min(start, size), min(int(last) + 1, size) if last else size)


def serve_pieces(content: Iterator[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """What is made while it is sent, to be saved as a file."""
    return StreamingHttpResponse(
        in_threads(content),
        content_type=content_type,
        headers={
            "Content-Disposition": attachment(name),
            "X-Content-Type-Options": "nosniff",
        },
    )


async def in_threads(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces that take a while to make, one at a time, while others are served."""
    while (piece := await asyncio.to_thread(next, content, None)) is not None:
        yield piece
