"""Uploads in pieces: tus 1.0 with checksums, https://tus.io/protocols/resumable-upload.

POST makes an upload, PATCH adds to its end, HEAD tells where that is, DELETE discards it. The
pages' own uploads (`views/uploads.py`) speak the same protocol, signed in by a session.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import wraps
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Field, Form, Router, Schema, Status
from ninja.decorators import decorate_view

from datasets_app.api.datasets import DatasetOut
from datasets_app.errors import UploadError, UploadOffsetError
from datasets_app.models import DatasetVersion, Upload
from datasets_app.services import append_to_upload, discard_upload, import_upload, start_upload
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of

router = Router(tags=["datasets"])
VERSION = "1.0.0"
SHA256_BYTES = 32
PIECE_TYPE = "application/offset+octet-stream"
View = Callable[..., HttpResponse]


def tus(view: View) -> View:
    """Failures as JSON with a sentence; the protocol's headers on every answer."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.headers.get("Tus-Resumable", VERSION) != VERSION:
            response = HttpResponse(status=412, headers={"Tus-Version": VERSION})
        else:
            try:
                response = view(request, *args, **kwargs)
            except FineTuneError as error:
                response = JsonResponse({"error": error.as_json()}, status=status_of(error))
        response.headers["Tus-Resumable"] = VERSION
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


@router.post("", summary="Begin an upload in pieces (tus 1.0)", url_name="uploads")
@decorate_view(tus)
def create_upload(request: HttpRequest) -> HttpResponse:
    """The header Upload-Length says how many bytes will come, Upload-Metadata the file's name; the
    answer's Location is where they go."""
    return begin(request, "api:upload")


@router.api_operation(
    ["HEAD"], "/{uuid:upload_id}", summary="How much has arrived", url_name="upload"
)
@decorate_view(tus)
def show_upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    return tell_offset(own_upload(request, upload_id))


@router.patch("/{uuid:upload_id}", summary="Send a piece")
@decorate_view(tus)
def add_piece(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """At the offset that the header Upload-Offset names; checked, if there is one, by the header
    Upload-Checksum: `sha256` and the digest in base64."""
    return append(request, own_upload(request, upload_id))


@router.delete("/{uuid:upload_id}", response={204: None}, summary="Discard an upload")
@decorate_view(tus)
def delete_upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    discard_upload(upload=own_upload(request, upload_id))
    return HttpResponse(status=204)


class UploadedIn(Schema):
    name: str = Field("", description="Of the dataset; empty: as the file's.")


@router.post(
    "/{uuid:upload_id}/import",
    response={201: DatasetOut},
    summary="Make a dataset of a complete upload; it is checked in the queue",
)
def make_dataset(
    request: HttpRequest, upload_id: UUID, asked: Form[UploadedIn]
) -> Status[DatasetVersion]:
    """Asking again gives the same one."""
    return Status(201, imported(request, upload_id, asked.name))


def begin(request: HttpRequest, location: str) -> HttpResponse:
    """Make an upload; `location` is the name of the address where its pieces go."""
    upload = start_upload(
        owner=cast(User, request.user),
        file_name=file_name_of(request.headers.get("Upload-Metadata", "")),
        size_bytes=number_of(request, "Upload-Length"),
    )
    response = HttpResponse(status=201)
    response.headers["Location"] = reverse(location, args=[upload.pk])
    response.headers["Tus-Max-Size"] = str(settings.MAX_UPLOAD_BYTES)
    return response


def append(request: HttpRequest, found: Upload) -> HttpResponse:
    if request.content_type != PIECE_TYPE:
        return HttpResponse(status=415)
    try:
        offset = append_to_upload(
            upload=found,
            offset=number_of(request, "Upload-Offset"),
            body=request,
            sha256=checksum_of(request.headers.get("Upload-Checksum", "")),
        )
    except UploadOffsetError as error:
        response = JsonResponse({"error": error.as_json()}, status=error.status)
        response.headers["Upload-Offset"] = str(found.received_bytes)
        return response
    return offset_response(204, found, offset)


def tell_offset(found: Upload) -> HttpResponse:
    return offset_response(200, found, found.received_bytes)


def imported(request: HttpRequest, pk: UUID, name: str) -> DatasetVersion:
    """The dataset of a complete upload, made now or by an earlier request."""
    version = DatasetVersion.objects.filter(folder=pk, dataset__owner_id=request.user.pk).first()
    return version or import_upload(upload=own_upload(request, pk), name=name)


def own_upload(request: HttpRequest, pk: UUID) -> Upload:
    return get_object_or_404(Upload, pk=pk, owner_id=request.user.pk)


def offset_response(status: int, upload: Upload, offset: int) -> HttpResponse:
    response = HttpResponse(status=status)
    response.headers["Upload-Offset"] = str(offset)
    response.headers["Upload-Length"] = str(upload.size_bytes)
    return response


def number_of(request: HttpRequest, header: str) -> int:
    value = request.headers.get(header, "")
    if not value.isascii() or not value.isdecimal() or len(value) > 18:
        raise UploadError(f"The header {header} has no whole number.", "Send it in bytes.")
    return int(value)


def checksum_of(header: str) -> bytes | None:
    """The SHA-256 of a piece, as tus's checksum extension writes it; None where there is none."""
    if not header:
        return None
    algorithm, _, value = header.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except ValueError:
        digest = b""
    if algorithm != "sha256" or len(digest) != SHA256_BYTES:
        raise UploadError("The header Upload-Checksum can't be read.", "Send sha256 in base64.")
    return digest


def file_name_of(metadata: str) -> str:
    """The file's name in `Upload-Metadata`: pairs of a key and a value in base64."""
    pairs = (pair.split() for pair in metadata.split(","))
    values = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    try:
        return base64.b64decode(values.get("filename", ""), validate=True).decode()
    except ValueError as error:
        raise UploadError("The file's name can't be read.", "Send it in base64.") from error
