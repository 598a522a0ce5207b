"""Models as a registry: named, tagged, given aliases, compared, merged, deleted and taken back."""

from __future__ import annotations

from pathlib import Path

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs import selectors
from jobs.model_page.comparison import rows_of
from jobs.models import AdapterMerge, LanguageModel, ModelAlias
from jobs.services import engine_jobs
from jobs.services.registry import deletion, labels
from jobs.services.registry.merging import Part, Recipe, order_merge
from jobs.views.models.exports import visible_model
from jobs.views.request import Request
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.exports.shared.merging import DENSITY, MERGES
from maxaillm.dev.finetune.run.checkpoints import size_bytes
from maxft_site.web.formatting import typed_number

PER_PAGE = 25
NOWHERE = Path("/nowhere")


def told(request: Request, error: FineTuneError) -> None:
    messages.error(request, f"{error.message} {error.hint}")


@require_POST
def model_describe(request: Request, pk: int) -> HttpResponse:
    shown, post = visible_model(request, pk), request.POST
    try:
        labels.describe_model(
            model=shown,
            by=request.user,
            name=post.get("name"),
            stage=post.get("stage"),
            tags=post["tags"].split(",") if "tags" in post else None,
        )
    except FineTuneError as error:
        told(request, error)
    return redirect(shown)


@require_POST
def alias_set(request: Request, pk: int) -> HttpResponse:
    shown = visible_model(request, pk)
    try:
        labels.set_alias(model=shown, by=request.user, name=request.POST.get("alias", ""))
    except FineTuneError as error:
        told(request, error)
    return redirect(shown)


@require_POST
def alias_remove(request: Request, pk: int) -> HttpResponse:
    alias = get_object_or_404(ModelAlias.objects.filter(owner=request.user), pk=pk)
    shown = alias.model
    labels.remove_alias(alias=alias)
    return redirect(shown)


@require_POST
def model_delete(request: Request, pk: int) -> HttpResponse:
    shown = visible_model(request, pk)
    try:
        deletion.delete_model(model=shown, by=request.user)
    except FineTuneError as error:
        told(request, error)
        return redirect(shown)
    return redirect(f"{reverse('jobs:models')}?deleted={shown.pk}")


def deleted_model(request: Request, pk: int) -> LanguageModel:
    return get_object_or_404(LanguageModel.objects.deleted_by(request.user), pk=pk)


@require_GET
def deleted_models(request: Request) -> HttpResponse:
    deleted = LanguageModel.objects.deleted_by(request.user).order_by("-deleted", "-pk")
    page = Paginator(deleted, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(model, size_bytes(deletion.files_of(model) or NOWHERE)) for model in page],
        "unit": "models",
        "lede": "They can be taken back for seven days, with their exports. Then their files are "
        "removed.",
        "listed": "jobs:models",
        "restore": "jobs:model-restore",
        "purge": "jobs:model-purge",
    }
    return render(request, "web/deleted.html", context)


@require_POST
def model_restore(request: Request, pk: int) -> HttpResponse:
    found = deleted_model(request, pk)
    deletion.restore_model(model=found)
    return redirect(found)


@require_POST
def model_purge(request: Request, pk: int) -> HttpResponse:
    found = deleted_model(request, pk)
    deletion.purge_model(model=found)
    messages.success(request, f"{found} is gone for good.")
    return redirect("jobs:deleted-models")


@require_GET
def models_compare(request: Request) -> HttpResponse:
    """Two models; where runs made both, their runs' comparison has more to say."""
    asked = [typed_number(text) for text in request.GET.getlist("model")]
    numbers = [number for number in asked if number]
    known = selectors.models_of(request.user).in_bulk(numbers[:2])
    models = [known[number] for number in numbers[:2] if number in known]
    if len(models) != 2:
        messages.error(request, "Choose two models of the list to compare.")
        return redirect("jobs:models")
    if all(model.run_id for model in models):
        ids = ",".join(str(model.run_id) for model in models)
        return redirect(f"{reverse('jobs:compare')}?ids={ids}")
    context = {"models": models, "rows": rows_of(models)}
    return render(request, "jobs/models_compare.html", context)


@require_http_methods(["GET", "POST"])
def models_merge(request: Request) -> HttpResponse:
    """Adapters of one base made into one: which ones, how much each counts, and how."""
    base = get_object_or_404(
        selectors.models_of(request.user), pk=typed_number(request.GET.get("base", "")) or 0
    )
    adapters = selectors.models_of(request.user).filter(base=base, kind="adapter")
    if request.method == "POST":
        post = request.POST
        chosen = [model for model in adapters if f"part-{model.pk}" in post]
        parts = [Part(model, weight_in(post.get(f"weight-{model.pk}", ""))) for model in chosen]
        density = post.get("density", "").strip()
        recipe = Recipe(post.get("method", ""), weight_in(density) if density else None)
        try:
            made = order_merge(
                owner=request.user, name=post.get("name", ""), recipe=recipe, parts=parts
            )
        except FineTuneError as error:
            told(request, error)
        else:
            return redirect("jobs:merge", made.pk)
    context = {"base": base, "adapters": adapters, "merges": MERGES.items(), "density": DENSITY}
    return render(request, "jobs/models_merge.html", context | {"given": request.POST})


def weight_in(text: str) -> float:
    """Not a number where it is none, which is refused later."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


@require_GET
def merge(request: Request, pk: int) -> HttpResponse:
    """How far a merge is; once it is made, its model."""
    found = get_object_or_404(AdapterMerge.objects.visible_to(request.user), pk=pk)
    engine_jobs.see_to(found)
    if found.status == "ready" and found.made is None:
        raise Http404
    address = found.made.get_absolute_url() if found.made else ""
    if address and request.htmx:
        return HttpResponse(headers={"HX-Redirect": address})
    if address:
        return redirect(address)
    template = "jobs/_merge.html" if request.htmx else "jobs/merge.html"
    return render(request, template, {"merge": found, "method": MERGES[found.method]})


@require_POST
def merge_cancel(request: Request, pk: int) -> HttpResponse:
    found = get_object_or_404(AdapterMerge.objects.visible_to(request.user), pk=pk)
    try:
        engine_jobs.cancel(found)
    except FineTuneError as error:
        told(request, error)
    return redirect("jobs:merge", found.pk)
