"""Files that leave the site: the upload as it came, the findings as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from datasets_app.models import DatasetVersion
from datasets_app.pages.croissant import croissant_file
from datasets_app.pages.row_lines import row_lines, rows_name
from datasets_app.storage.findings import read_findings
from datasets_app.views.dataset import visible_version
from maxft_site.web.serving.files import serve_file, serve_pieces

LINES_A_PIECE = 1_000
COLUMNS = ("row", "line", "level", "code", "message", "snippet", "fix", "other")
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@require_safe
def dataset_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file as it was uploaded."""
    version = visible_version(request, pk)
    if not version.sha256:
        raise Http404
    return serve_file(request, version.source_path, name=version.file_name, sha256=version.sha256)


@require_safe
def rows_jsonl(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The rows that can be trained on, an object a line."""
    version = visible_version(request, pk)
    if not version.is_ready:
        raise Http404
    return serve_pieces(row_lines(version), rows_name(version), "application/jsonl")


@require_safe
def croissant(request: HttpRequest, pk: int) -> HttpResponse:
    """What the dataset is, in Croissant."""
    version = visible_version(request, pk)
    if not version.is_ready:
        raise Http404
    return croissant_file(version, request.build_absolute_uri(version.dataset.get_absolute_url()))


@require_safe
def findings_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Every finding, also those that are too many for the page."""
    version = visible_version(request, pk)
    name = f"findings-{version.dataset_id}-v{version.number}.csv"
    return serve_pieces(findings_table(version), name, "text/csv; charset=utf-8")


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
