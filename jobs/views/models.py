"""The models that one may tune or chat with, and the page of one."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from jobs import selectors
from jobs.model_page.exports import forms_of, is_moving, rows_of
from jobs.models import LanguageModel
from jobs.run_page.scores import scores_of
from jobs.services.registry.about import about_of
from jobs.views.request import Request
from maxaillm.dev.finetune.exports.shared.about import model_card
from maxaillm.starter import STARTER_MODELS
from maxft_site.web.serving.files import attachment

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
    return render(request, "jobs/model.html", model_context(request, shown))


def model_context(request: Request, shown: LanguageModel) -> dict[str, Any]:
    """All that the page of a model shows."""
    rows = rows_of(request.user, shown)
    starter = STARTER_MODELS.get(shown.name)
    return {
        "model": shown,
        "lineage": shown.ancestors,
        "tuned": selectors.models_of(request.user).filter(base=shown),
        "runs": selectors.runs_of(request.user).filter(base_model=shown)[:20],
        "scores": scores_of(shown.metrics),
        "about": starter.description if starter else "",
        "rows": rows,
        "is_moving": is_moving(rows),
        "forms": forms_of(shown),
        "card": model_card(about_of(shown)).text,
    }


@require_GET
def model_card_file(request: Request, pk: int) -> HttpResponse:
    """The card with its metadata, as the Hub has it."""
    shown = get_object_or_404(selectors.models_of(request.user), pk=pk)
    card = str(model_card(about_of(shown)))
    headers = {"Content-Disposition": attachment("README.md")}
    return HttpResponse(card, content_type="text/markdown; charset=utf-8", headers=headers)
