"""The page where data comes in: files, pasted text; it works without JavaScript too."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.api.uploads import own_upload
from datasets_app.models import DatasetVersion, Upload
from datasets_app.services import (
    discard_upload,
    import_dataset,
    import_from_hub,
    is_offline,
    stage_file,
)
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of

PASTED = "Pasted text"


@require_http_methods(["GET", "HEAD", "POST"])
def dataset_new(request: HttpRequest) -> HttpResponse:
    """POST takes `files` (several), `text` that was pasted, or `hub` with a `revision` or without;
    and an optional `name`.
    """
    problem: FineTuneError | None = None
    if request.method == "POST":
        try:
            versions = take_in(request)
        except FineTuneError as error:
            problem = error
        else:
            if len(versions) == 1:
                return redirect(versions[0].dataset)
            messages.success(request, f"{len(versions)} files arrived and are being checked.")
            return redirect("datasets:datasets")
    context = {
        "problem": problem,
        "unfinished": Upload.objects.filter(owner_id=request.user.pk).order_by("-created"),
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "name": request.POST.get("name", ""),
        "text": request.POST.get("text", ""),
        "hub": request.POST.get("hub", ""),
        "revision": request.POST.get("revision", ""),
        "is_offline": is_offline(),
    }
    status = status_of(problem) if problem else 200
    return render(request, "datasets_app/dataset_new.html", context, status=status)


def take_in(request: HttpRequest) -> list[DatasetVersion]:
    owner = cast(User, request.user)
    name = request.POST.get("name", "").strip()
    files = request.FILES.getlist("files")
    if "hub" in request.POST:
        hub, revision = request.POST["hub"], request.POST.get("revision", "")
        return [import_from_hub(owner=owner, hub=hub, revision=revision, name=name)]
    if files:
        shared = name if len(files) == 1 else ""
        return [import_file(owner, shared, file) for file in files]
    text = request.POST.get("text", "")
    if not text.strip():
        raise FineTuneError("There is no file and no text yet.", "Choose a file or paste rows.")
    path = stage_file([text.encode("utf-8", "replace")], owner=owner)
    return [import_dataset(owner=owner, name=name or PASTED, file_name=PASTED, path=path)]


def import_file(owner: User, name: str, file: UploadedFile[bytes]) -> DatasetVersion:
    path = stage_file(file.chunks(), owner=owner)
    return import_dataset(owner=owner, name=name, file_name=file.name or "", path=path)


@require_POST
def upload_discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Drop an unfinished upload, from the page."""
    discard_upload(upload=own_upload(request, pk))
    return redirect("datasets:dataset-new")
