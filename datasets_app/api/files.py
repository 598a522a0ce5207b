"""The REST API of files that leave the site: a dataset's upload, and its rows."""

from __future__ import annotations

from typing import Annotated

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.pages.croissant import croissant_file
from datasets_app.pages.row_lines import row_lines, rows_name
from datasets_app.selectors import require_rows
from maxft_site.web.serving.files import serve_file, serve_pieces

router = Router(tags=["datasets"])
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Empty: the newest version.")]


def version_numbered(request: HttpRequest, dataset_id: int, number: int | None) -> DatasetVersion:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), pk=dataset_id)
    if number is None:
        return dataset.newest
    return get_object_or_404(dataset.versions.select_related("dataset"), number=number)


@router.get("/{int:dataset_id}/download", summary="The file as it was uploaded")
def download_file(
    request: HttpRequest, dataset_id: int, version: Number = None
) -> HttpResponseBase:
    """A break is gone on from with the header Range; Repr-Digest has the SHA-256."""
    found = version_numbered(request, dataset_id, version)
    if not found.sha256:
        raise Http404
    return serve_file(request, found.source_path, name=found.file_name, sha256=found.sha256)


@router.get("/{int:dataset_id}/croissant.json", summary="Its description in Croissant, JSON-LD")
def show_croissant(request: HttpRequest, dataset_id: int, version: Number = None) -> HttpResponse:
    """It names rows.jsonl with its SHA-256; laid beside it, programs load the rows by it."""
    found = version_numbered(request, dataset_id, version)
    require_rows(found)
    return croissant_file(found, request.build_absolute_uri(found.dataset.get_absolute_url()))


@router.get("/{int:dataset_id}/rows.jsonl", summary="Every row that can be trained on, a line each")
def download_rows(
    request: HttpRequest, dataset_id: int, version: Number = None
) -> HttpResponseBase:
    found = version_numbered(request, dataset_id, version)
    require_rows(found)
    return serve_pieces(row_lines(found), rows_name(found), "application/jsonl")
