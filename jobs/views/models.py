"""The models that one may tune or chat with, and the page of one."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from jobs import selectors
from jobs.run_page.scores import scores_of
from jobs.views.request import Request
from maxaillm.starter import STARTER_MODELS

PER_PAGE = 50


@require_GET
def models(request: Request) -> HttpResponse:
    found = selectors.models_of(request.user)
    page = Paginator(found.exclude(kind="base"), PER_PAGE).get_page(request.GET.get("page"))
    context = {"base_models": found.filter(kind="base").order_by("name"), "page": page}
    return render(request, "jobs/models.html", context)


@require_GET
def model(request: Request, pk: int) -> HttpResponse:
    shown = get_object_or_404(selectors.models_of(request.user), pk=pk)
    context = {
        "model": shown,
        "lineage": shown.ancestors,
        "tuned": selectors.models_of(request.user).filter(base=shown),
        "runs": selectors.runs_of(request.user).filter(base_model=shown)[:20],
        "scores": scores_of(shown.metrics),
        "about": starter.description if (starter := STARTER_MODELS.get(shown.name)) else "",
    }
    return render(request, "jobs/model.html", context)
