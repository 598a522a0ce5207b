"""Files that leave the site: the upload as it came, the findings as a table."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from datasets_app.models import DatasetVersion, Finding
from datasets_app.selectors import findings_of
from datasets_app.views.dataset import visible_version

PIECE_BYTES = 2**18
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """A file bit by bit: served as a whole it would lie in memory."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


@require_safe
def dataset_download(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The file as it was uploaded. Always saved, never shown: it may be HTML or SVG."""
    version = visible_version(request, pk)
    response = StreamingHttpResponse(
        pieces(version.source_path), content_type="application/octet-stream"
    )
    response.headers["Content-Disposition"] = attachment(version.file_name)
    response.headers["Content-Length"] = str(version.size_bytes)
    response.headers["Content-Security-Policy"] = "sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
def findings_csv(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    return HttpResponse(
        findings_table(version),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": attachment(f"findings-{version.dataset_id}.csv"),
            "X-Content-Type-Options": "nosniff",
        },
    )


def findings_table(version: DatasetVersion) -> str:
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    columns = ("row", "line", "level", "code", "message", "snippet", "fix")
    writer.writerow(columns)
    for finding in findings_of(version).iterator(chunk_size=1000):
        writer.writerow(as_text(finding, column) for column in columns)
    return table.getvalue()


def as_text(finding: Finding, column: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    value = getattr(finding, column)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def attachment(file_name: str) -> str:
    return content_disposition_header(as_attachment=True, filename=file_name) or "attachment"
