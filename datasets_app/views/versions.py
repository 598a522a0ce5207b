"""The versions of a dataset: what each holds, what it was made of, the way back."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from datasets_app.services import bring_back
from datasets_app.views.dataset import own_version, render_tab, visible_version

PER_PAGE = 50


@require_safe
def versions(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    rows = version.dataset.versions.prefetch_related("parents").order_by("-number")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render_tab(request, version, "versions", page=page)


@require_POST
def version_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the version `v` the newest again."""
    new = bring_back(version=own_version(request, pk))
    messages.success(request, f"v{new.number} is what that version was. All others stay.")
    return redirect(new.dataset)
