"""The list of data sets."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.selectors import search_versions
from datasets_app.templatetags.datasets import BADGES

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
        "states": [(state.value, BADGES[state][1]) for state in DatasetVersion.Status],
        "query": urlencode(asked),
        "is_filtered": bool(asked),
    }
    return render(request, "datasets_app/datasets.html", context)
