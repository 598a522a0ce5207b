"""The page of search results."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from maxft_site.web.search import find


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:200]
    groups = find(cast(User, request.user), words)
    return render(request, "web/search.html", {"words": words, "groups": groups})
