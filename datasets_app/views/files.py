"""Files that leave the site: the upload as it came, the findings as a table."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from datasets_app.models import DatasetVersion
from datasets_app.storage.findings import read_findings
from datasets_app.views.dataset import visible_version
from maxaillm.dev.finetune.data.store.store import RowStore

PIECE_BYTES = 2**18
LINES_A_PIECE = 1_000
COLUMNS = ("row", "line", "level", "code", "message", "snippet", "fix", "other")
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
    if not version.sha256:
        raise Http404
    response = StreamingHttpResponse(
        pieces(version.source_path), content_type="application/octet-stream"
    )
    response.headers["Content-Disposition"] = attachment(version.file_name)
    response.headers["Content-Length"] = str(version.size_bytes)
    response.headers["Content-Security-Policy"] = "sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
def rows_jsonl(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The rows that can be trained on, an object a line."""
    version = visible_version(request, pk)
    if not version.is_ready:
        raise Http404
    name = f"{version.dataset.name} v{version.number}.jsonl"
    return download(row_lines(RowStore(version.rows_path)), name, "application/jsonl")


def row_lines(store: RowStore) -> Iterator[bytes]:
    for batch in store.batches():
        lines = (json.dumps(example, ensure_ascii=False) + "\n" for example in batch.examples)
        yield "".join(lines).encode("utf-8", "replace")


@require_safe
def findings_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Every finding, also those that are too many for the page."""
    version = visible_version(request, pk)
    name = f"findings-{version.dataset_id}-v{version.number}.csv"
    return download(findings_table(version), name, "text/csv; charset=utf-8")


def findings_table(version: DatasetVersion) -> Iterator[bytes]:
    yield table_of([COLUMNS])
    if not version.findings_sha256:
        return
    findings = read_findings(version.findings_path)
    while some := list(islice(findings, LINES_A_PIECE)):
        yield table_of([as_text(finding.get(name)) for name in COLUMNS] for finding in some)


def table_of(rows: Iterable[Sequence[str]]) -> bytes:
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows(rows)
    return table.getvalue().encode("utf-8", "replace")


def as_text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def download(content: Iterator[bytes], file_name: str, content_type: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        in_threads(content),
        content_type=content_type,
        headers={
            "Content-Disposition": attachment(file_name),
            "X-Content-Type-Options": "nosniff",
        },
    )


async def in_threads(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces that take a while to make, one at a time, while others are served."""
    while (piece := await asyncio.to_thread(next, content, None)) is not None:
        yield piece


def attachment(file_name: str) -> str:
    return content_disposition_header(as_attachment=True, filename=file_name) or "attachment"
