"""Deployments: the list, a new one, the page of one with its keys, counts and log."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.deployment_page.bars import bars_of
from jobs.deployment_page.forms import KeyForm, ModelForm, NewForm, OptionsForm
from jobs.deployment_page.snippets import snippets_of
from jobs.models import Deployment, LanguageModel
from jobs.services.deployments import management, usage
from jobs.services.deployments.answering import model_of
from jobs.services.deployments.management import DeploymentOptions, TooManyDeploymentsError
from jobs.views.request import Request
from maxaillm.dev.finetune.errors import ConfigError
from maxft_site.web.formatting import typed_number

PER_PAGE = 50
LOG_PER_PAGE = 20
DAYS = 30
ORDERS = {
    "newest": ("Newest", [F("created").desc()]),
    "name": ("Name", [F("name").asc()]),
    "state": ("State", [F("state").asc(), F("created").desc()]),
}
"""What the list can be sorted by."""


def own(request: Request, pk: int) -> Deployment:
    found = Deployment.objects.visible_to(request.user).select_related("owner", "model")
    return get_object_or_404(found, pk=pk)


@require_GET
def deployments(request: Request) -> HttpResponse:
    asked = request.GET.get("order", "")
    order = asked if asked in ORDERS else "newest"
    found = Deployment.objects.visible_to(request.user).select_related("owner", "model")
    page = Paginator(found.order_by(*ORDERS[order][1], "pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    rows = [(one, model_of(one), usage.totals_of(usage.today_of(one))) for one in page]
    context = {
        "page": page,
        "rows": rows,
        "order": order,
        "orders": [(name, word) for name, (word, _) in ORDERS.items()],
    }
    return render(request, "jobs/deployments.html", context)


@require_http_methods(["GET", "POST"])
def deployment_new(request: Request) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = NewForm(data, user=request.user, initial=asked_for(request))
    options = OptionsForm(data)
    status = 200
    if data is not None:
        if all([form.is_valid(), options.is_valid()]):
            made = create(request, form, options.value)
            if made is not None:
                return redirect(made)
        status = 422
    context = {"form": form, "options": options}
    return render(request, "jobs/deployment_new.html", context, status=status)


def asked_for(request: Request) -> dict[str, Any]:
    """The model of `?model=ID`, and a name like its own."""
    pk = typed_number(request.GET.get("model", ""))
    model = LanguageModel.objects.visible_to(request.user).filter(pk=pk or 0).first()
    return {"model": model.pk, "name": slugify(model.short_name)[:63]} if model else {}


def create(request: Request, form: NewForm, options: Any) -> Deployment | None:
    """None where it can't be; the form then says why."""
    chosen = form.cleaned_data
    try:
        return management.create(
            owner=request.user,
            model=chosen["model"],
            name=chosen["name"],
            follows_family=chosen["latest"],
            options=options,
        )
    except ConfigError as error:
        lay(form, error)
    except TooManyDeploymentsError as error:
        form.add_error(None, f"{error.message} {error.hint}")
    return None


def lay(form: ModelForm, error: ConfigError) -> None:
    """Each mistake at its field."""
    for problem in error.problems:
        form.add_error(problem.path if problem.path in form.fields else None, problem.message)


@require_GET
@never_cache
def deployment(request: Request, pk: int) -> HttpResponse:
    return show(request, own(request, pk))


@require_http_methods(["GET", "POST"])
@never_cache
def key_new(request: Request, pk: int) -> HttpResponse:
    """Make a key and show it in this one answer, which nothing keeps."""
    found = own(request, pk)
    if request.method == "GET":
        return redirect(found)
    form = KeyForm(request.POST)
    if not form.is_valid():
        return show(request, found, key_form=form, status=422)
    try:
        _, secret = management.make_key(
            deployment=found, name=form.cleaned_data["name"], days=form.cleaned_data["days"] or None
        )
    except TooManyDeploymentsError as error:
        form.add_error(None, f"{error.message} {error.hint}")
        return show(request, found, key_form=form, status=error.status)
    return show(request, found, secret=secret, status=201)


@require_POST
def key_revoke(request: Request, pk: int, key: int) -> HttpResponse:
    found = own(request, pk)
    revoked = get_object_or_404(found.keys, pk=key)
    revoked.delete()
    messages.success(request, f"The key “{revoked.name}” opens nothing any more.")
    return redirect(found)


@require_POST
def deployment_change(request: Request, pk: int) -> HttpResponse:
    """Who answers, and the limits."""
    found = own(request, pk)
    model, options = (
        ModelForm(request.POST, user=request.user, initial={}),
        OptionsForm(request.POST),
    )
    if all([model.is_valid(), options.is_valid()]):
        assert isinstance(options.value, DeploymentOptions)
        try:
            management.choose_model(
                deployment=found,
                model=model.cleaned_data["model"],
                follows_family=model.cleaned_data["latest"],
            )
        except ConfigError as error:
            lay(model, error)
        else:
            management.change(deployment=found, options=options.value)
            messages.success(request, "Saved. It holds from the next request on.")
            return redirect(found)
    return show(request, found, model_form=model, options=options, status=422)


@require_POST
def deployment_act(request: Request, pk: int, verb: str) -> HttpResponse:
    found = own(request, pk)
    if verb == "delete":
        management.delete(deployment=found)
        messages.success(request, f"The deployment “{found.name}” is deleted, with its keys.")
        return redirect("jobs:deployments")
    acts = {"stop": management.stop, "start": management.start}
    if verb not in acts:
        raise Http404
    acts[verb](deployment=found)
    return redirect(found)


def show(request: Request, found: Deployment, *, status: int = 200, **forms: Any) -> HttpResponse:
    days = usage.by_day(found, DAYS)
    answers = model_of(found)
    options = {name: getattr(found, name) for name in DeploymentOptions.model_fields}
    chosen = {"model": answers or found.model, "latest": bool(found.family)}
    used = usage.used_today(found)
    url = request.build_absolute_uri("/v1")
    context = {
        "deployment": found,
        "answers": answers,
        "url": url,
        "snippets": snippets_of(found.name, url, answers),
        "keys": [(key, used.get(key.pk, 0)) for key in found.keys.all()],
        "days": days[::-1],
        "bars": bars_of(days),
        "most": max(day.totals.requests for day in days),
        "today": days[-1].totals,
        "log": Paginator(found.log.select_related("key"), LOG_PER_PAGE).get_page(
            request.GET.get("page")
        ),
        "key_form": KeyForm(),
        "model_form": ModelForm(user=request.user, initial=chosen),
        "options": OptionsForm(initial=options),
    }
    return render(request, "jobs/deployment.html", context | forms, status=status)
