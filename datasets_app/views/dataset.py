"""One dataset: the frame of its tabs; findings, used by; its state while it is checked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.pages.pairs import SHOWN_PAIRS, with_pairs
from datasets_app.selectors import code_counts, findings_of, runs_on
from datasets_app.services import check_again, delete_dataset, restore_dataset

FINDINGS_PER_PAGE = 50
NUMBER_DIGITS = 9


def visible_version(request: HttpRequest, pk: int) -> DatasetVersion:
    """The version `v`, or else the newest, of a dataset that the user may see, else 404."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), pk=pk)
    return asked_version(request, dataset)


def own_version(request: HttpRequest, pk: int) -> DatasetVersion:
    """The version `v`, or else the newest, of a dataset that the user may change, else 404."""
    dataset = get_object_or_404(Dataset.objects.owned_by(request.user), pk=pk)
    return asked_version(request, dataset)


def asked_version(request: HttpRequest, dataset: Dataset) -> DatasetVersion:
    number = request.GET.get("v", "")
    if not number:
        return dataset.newest
    if not number.isdecimal() or len(number) > NUMBER_DIGITS:
        raise Http404
    return get_object_or_404(dataset.versions.select_related("dataset"), number=number)


def render_tab(
    request: HttpRequest, version: DatasetVersion, tab: str, status: int = 200, **context: Any
) -> HttpResponse:
    newest = version.dataset.newest
    frame = {
        "version": version,
        "newest": newest,
        "suffix": "" if version == newest else f"?v={version.number}",
        "dataset": version.dataset,
        "tab": tab,
        "codes": code_counts(version),
        "is_own": version.dataset.owner_id == request.user.pk,
        "train_url": f"{reverse('jobs:run-new')}?{urlencode({'dataset': version.dataset_id})}",
    }
    return render(request, f"datasets_app/dataset_{tab}.html", frame | context, status=status)


def asked(request: HttpRequest, *names: str) -> dict[str, str]:
    """Those of the parameters that were given: a page's links keep them."""
    return {name: value for name in names if (value := request.GET.get(name, ""))}


@require_safe
def dataset_status(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress of a check; once it has ended, htmx loads the page anew."""
    version = visible_version(request, pk)
    if not version.is_checking:
        return HttpResponseClientRefresh()
    return render(request, "datasets_app/_checking.html", {"version": version})


@require_safe
def dataset_findings(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    code = request.GET.get("code", "")
    found = findings_of(version, code)
    are_pairs = code and found.exclude(other=None).exists()
    per_page = SHOWN_PAIRS if are_pairs else FINDINGS_PER_PAGE
    page = Paginator(found, per_page).get_page(request.GET.get("page"))
    return render_tab(
        request,
        version,
        "findings",
        page=page,
        found=with_pairs(version, page),
        code=code,
        query=urlencode(asked(request, "v", "code")),
        stored=version.findings.count(),
    )


@require_safe
def dataset_runs(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    mine = [run for run in runs_on(version.dataset) if run.owner_id == request.user.pk]
    page = Paginator(mine, FINDINGS_PER_PAGE).get_page(request.GET.get("page"))
    return render_tab(request, version, "runs", page=page)


@require_POST
def dataset_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Check once more, such as after a worker was short of memory."""
    version = own_version(request, pk)
    if version.status in {DatasetVersion.Status.INVALID, DatasetVersion.Status.NEEDS_MAPPING}:
        check_again(version)
    query = urlencode(asked(request, "v"))
    return redirect(f"{version.dataset.get_absolute_url()}{query and '?'}{query}")


@require_http_methods(["GET", "HEAD", "POST"])
def dataset_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """GET says what goes; POST deletes and leads to a list that offers to undo it."""
    version = own_version(request, pk)
    if request.method != "POST":
        return render_tab(request, version, "delete", runs=runs_on(version.dataset))
    delete_dataset(dataset=version.dataset)
    return redirect(f"{reverse('datasets:datasets')}?{urlencode({'deleted': pk})}")


@require_POST
def dataset_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo a deletion while its files are still there."""
    dataset = get_object_or_404(Dataset.objects.deleted_by(request.user), pk=pk)
    restore_dataset(dataset=dataset)
    return redirect(dataset)
