"""Uploads in pieces, as pages send them: the API's protocol, signed in by a session."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.api.uploads import append, begin, imported, own_upload, tell_offset, tus
from datasets_app.services import discard_upload


@require_POST
@tus
def uploads(request: HttpRequest) -> HttpResponse:
    return begin(request, "datasets:upload")


@require_http_methods(["HEAD", "PATCH", "DELETE"])
@tus
def upload(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = own_upload(request, pk)
    if request.method == "DELETE":
        discard_upload(upload=found)
        return HttpResponse(status=204)
    return tell_offset(found) if request.method == "HEAD" else append(request, found)


@require_POST
@tus
def upload_import(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make a dataset of a complete upload. Asking again gives the same one."""
    dataset = imported(request, pk, request.POST.get("name", "")).dataset
    return JsonResponse(
        {"id": dataset.pk, "name": dataset.name, "url": dataset.get_absolute_url()}, status=201
    )
