"""The models that one may tune or chat with, and the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from jobs import selectors
from jobs.model_page.exports import forms_of, is_moving, rows_of
from jobs.model_page.listing import DEFAULT, HEADS, ModelFilter, tags_of
from jobs.models import LanguageModel
from jobs.run_page.scores import scores_of
from jobs.services.registry.about import about_of
from jobs.views.request import Request
from jobs.views.run_list import heads, query_without_page
from maxaillm.dev.finetune.exports.shared.about import model_card
from maxaillm.starter import STARTER_MODELS
from maxft_site.web.formatting import typed_number
from maxft_site.web.serving.files import attachment

PER_PAGE = 50


@require_GET
def models(request: Request) -> HttpResponse:
    get = request.GET
    chosen = ModelFilter(
        query=get.get("query", ""),
        stage=get.get("stage", ""),
        tag=get.get("tag", ""),
        sort=get.get("sort", "") or DEFAULT,
    )
    tuned = chosen.models(request.user).exclude(kind="base").prefetch_related("aliases")
    deleted = typed_number(get.get("deleted", ""))
    context = {
        "base_models": base_models(request.user, chosen.query),
        "page": Paginator(tuned, PER_PAGE).get_page(get.get("page")),
        "chosen": chosen,
        "is_narrowed": bool(chosen.query or chosen.stage or chosen.tag),
        "stages": LanguageModel.Stage.choices,
        "tags": tags_of(request.user),
        "heads": heads(get, chosen.sort, HEADS),
        "query": query_without_page(get),
        "deleted": LanguageModel.objects.deleted_by(request.user).filter(pk=deleted or 0).first(),
    }
    return render(request, "jobs/models.html", context)


def base_models(user: User, query: str) -> QuerySet[LanguageModel]:
    return ModelFilter(query=query, sort="name").models(user).filter(kind="base")


@require_GET
def model(request: Request, pk: int) -> HttpResponse:
    shown = get_object_or_404(selectors.models_of(request.user), pk=pk)
    return render(request, "jobs/model.html", model_context(request, shown))


def model_context(request: Request, shown: LanguageModel) -> dict[str, Any]:
    """All that the page of a model shows."""
    rows = rows_of(request.user, shown)
    tuned = selectors.models_of(request.user).filter(base=shown)
    starter = STARTER_MODELS.get(shown.name)
    return {
        "model": shown,
        "lineage": shown.ancestors,
        "tuned": tuned,
        "runs": selectors.runs_of(request.user).filter(base_model=shown)[:20],
        "scores": scores_of(shown.metrics),
        "about": starter.description if starter else "",
        "rows": rows,
        "is_moving": is_moving(rows),
        "forms": forms_of(shown),
        "aliases": shown.aliases.filter(owner=request.user),
        "stages": LanguageModel.Stage.choices,
        "is_own": shown.owner_id == request.user.pk,
        "can_merge": tuned.filter(kind="adapter").count() > 1,
        "card": model_card(about_of(shown)).text,
    }


@require_GET
def model_card_file(request: Request, pk: int) -> HttpResponse:
    """The card with its metadata, as the Hub has it."""
    shown = get_object_or_404(selectors.models_of(request.user), pk=pk)
    card = str(model_card(about_of(shown)))
    headers = {"Content-Disposition": attachment("README.md")}
    return HttpResponse(card, content_type="text/markdown; charset=utf-8", headers=headers)
