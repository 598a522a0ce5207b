"""Exports from the page of a model: asked for, watched, stopped, deleted, pushed to the Hub."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from jobs import selectors
from jobs.model_page.exports import forms_of, is_moving, rows_of
from jobs.models import Export, LanguageModel
from jobs.services import engine_jobs
from jobs.services.registry.hub_push import order_push
from jobs.views.models.models import model_context
from jobs.views.request import Request
from maxaillm.dev.finetune.errors import FineTuneError


def visible_model(request: Request, pk: int) -> LanguageModel:
    return get_object_or_404(selectors.models_of(request.user), pk=pk)


def visible_export(request: Request, pk: int) -> Export:
    return get_object_or_404(Export.objects.visible_to(request.user), pk=pk)


def to_exports(model: LanguageModel) -> HttpResponse:
    return redirect(f"{model.get_absolute_url()}#exports")


@require_GET
def model_exports(request: Request, pk: int) -> HttpResponse:
    """The list, for htmx: again and again while something in it moves."""
    shown = visible_model(request, pk)
    rows = rows_of(request.user, shown)
    for row in rows:
        engine_jobs.see_to(row.export)
    context: dict[str, Any] = {"model": shown, "rows": rows, "is_moving": is_moving(rows)}
    return render(request, "jobs/_exports.html", context)


@require_POST
def export_new(request: Request, pk: int, name: str) -> HttpResponse:
    shown = visible_model(request, pk)
    forms = forms_of(shown, name, request.POST)
    chosen = next((form for form in forms if form.name == name), None)
    if chosen is None:
        raise Http404
    if not chosen.options.is_valid():
        context = model_context(request, shown) | {"forms": forms, "asked": name}
        return render(request, "jobs/model.html", context, status=422)
    options = chosen.options.value.model_dump(exclude={"name"})
    try:
        engine_jobs.order_export(owner=request.user, model=shown, format=name, options=options)
    except FineTuneError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return to_exports(shown)


@require_POST
def export_cancel(request: Request, pk: int) -> HttpResponse:
    export = visible_export(request, pk)
    try:
        engine_jobs.cancel(export)
    except engine_jobs.EndedError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return to_exports(export.model)


@require_POST
def export_delete(request: Request, pk: int) -> HttpResponse:
    export = visible_export(request, pk)
    model = export.model
    engine_jobs.delete_export(export)
    messages.success(request, f"{export.label} is deleted; its room on the disk is free.")
    return to_exports(model)


@require_POST
def export_push(request: Request, pk: int) -> HttpResponse:
    export = visible_export(request, pk)
    try:
        order_push(
            export=export,
            repository=request.POST.get("repository", ""),
            token=request.POST.get("token", ""),
            is_private="is_private" in request.POST,
        )
    except FineTuneError as error:
        messages.error(request, error.message)
    return to_exports(export.model)
