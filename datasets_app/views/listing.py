"""The list of datasets, and of those that were deleted not long ago."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.pages.states import BADGES
from datasets_app.selectors import search_versions
from datasets_app.services import purge_dataset
from datasets_app.services.quota import data_use, file_sizes

PER_PAGE = 25


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:200]
    status = request.GET.get("status", "")
    page = Paginator(search_versions(request.user, words, status), PER_PAGE).get_page(
        request.GET.get("page")
    )
    asked = {name: value for name, value in (("q", words), ("status", status)) if value}
    deleted = request.GET.get("deleted", "")
    context = {
        "deleted": Dataset.objects.deleted_by(request.user).filter(pk=deleted).first()
        if deleted.isdecimal() and len(deleted) < 16
        else None,
        "page": page,
        "words": words,
        "status": status,
        "states": [(state.value, BADGES[state].word) for state in DatasetVersion.Status],
        "query": urlencode(asked),
        "is_filtered": bool(asked),
        "use": data_use(cast(User, request.user)),
    }
    return render(request, "datasets_app/datasets.html", context)


@require_safe
def deleted_datasets(request: HttpRequest) -> HttpResponse:
    """What was deleted in the last days, to be taken back or deleted for good."""
    deleted = Dataset.objects.deleted_by(request.user).order_by("-deleted", "-pk")
    page = Paginator(deleted, PER_PAGE).get_page(request.GET.get("page"))
    sizes = [sum(file_sizes(dataset.versions.all()).values()) for dataset in page]
    context = {
        "page": page,
        "rows": list(zip(page, sizes, strict=True)),
        "unit": "datasets",
        "lede": "They can be taken back for seven days, and count as your data until they are "
        "gone.",
        "listed": "datasets:datasets",
        "restore": "datasets:dataset-restore",
        "purge": "datasets:dataset-purge",
    }
    return render(request, "web/deleted.html", context)


@require_POST
def dataset_purge(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a deleted dataset before its seven days are over."""
    dataset = get_object_or_404(Dataset.objects.deleted_by(request.user), pk=pk)
    if purge_dataset(dataset=dataset):
        messages.success(request, f"{dataset.name} is gone for good.")
    else:
        messages.error(
            request, f"{dataset.name} is still needed by a run that was deleted not long ago."
        )
    return redirect("datasets:deleted-datasets")
