"""One data set: rows, findings, about, used by; its state while it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.row_parts import row_card
from datasets_app.selectors import code_counts, findings_of, offset_of_row, rows_page, runs_on
from datasets_app.services import check_again, delete_dataset, restore_dataset
from maxaillm.dev.finetune.row_store import StoredRow

ROWS_PER_PAGE = 10
FINDINGS_PER_PAGE = 50
PASSING_ERRORS = {"killed", "too_slow", "too_complex", "not_written", "check_failed"}
"""What was the machine's fault rather than the file's, so that another check may help."""


def visible_version(request: HttpRequest, pk: int) -> DatasetVersion:
    """The newest version of a data set that the user may see, else 404."""
    return get_object_or_404(Dataset.objects.visible_to(request.user), pk=pk).newest


def own_version(request: HttpRequest, pk: int) -> DatasetVersion:
    """The newest version of a data set that the user may change, else 404."""
    return get_object_or_404(Dataset.objects.owned_by(request.user), pk=pk).newest


class VersionRows(Sequence[StoredRow]):
    """The rows of a version for Django's paginator, which asks for one slice."""

    def __init__(self, version: DatasetVersion) -> None:
        self.version = version

    def __len__(self) -> int:
        return self.version.rows

    @overload
    def __getitem__(self, place: int) -> StoredRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[StoredRow]: ...
    def __getitem__(self, place: int | slice) -> StoredRow | list[StoredRow]:
        if isinstance(place, int):
            return rows_page(self.version, place, 1)[0]
        start, stop, _ = place.indices(len(self))
        return rows_page(self.version, start, stop - start)


def render_tab(
    request: HttpRequest, version: DatasetVersion, tab: str, **context: Any
) -> HttpResponse:
    frame = {
        "version": version,
        "dataset": version.dataset,
        "tab": tab,
        "codes": code_counts(version),
        "is_own": version.dataset.owner_id == request.user.pk,
        "train_url": f"{reverse('jobs:run-new')}?{urlencode({'dataset': version.dataset_id})}",
    }
    return render(request, f"datasets_app/dataset_{tab}.html", frame | context)


@require_safe
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows, ten at a time; `row` leads to the page with that record of the file."""
    version = visible_version(request, pk)
    if not version.is_ready:
        may_pass = (version.error or {}).get("code") in PASSING_ERRORS
        return render_tab(request, version, "state", may_pass=may_pass)
    number = request.GET.get("page")
    wanted = request.GET.get("row", "")
    if wanted.isdecimal() and len(wanted) < 16:
        number = str(offset_of_row(version, int(wanted)) // ROWS_PER_PAGE + 1)
    page = Paginator(VersionRows(version), ROWS_PER_PAGE).get_page(number)
    is_raw = request.GET.get("as") == "raw"
    return render_tab(
        request,
        version,
        "rows",
        page=page,
        cards=[row_card(row) for row in page],
        is_raw=is_raw,
        query="as=raw" if is_raw else "",
        wanted=wanted,
    )


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
    findings = findings_of(version, code)
    return render_tab(
        request,
        version,
        "findings",
        page=Paginator(findings, FINDINGS_PER_PAGE).get_page(request.GET.get("page")),
        code=code,
        query=f"code={code}" if findings.exists() and code else "",
        stored=version.findings.count(),
    )


@require_safe
def dataset_about(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    return render_tab(
        request, version, "about", versions=version.dataset.versions.order_by("-number")
    )


@require_safe
def dataset_runs(request: HttpRequest, pk: int) -> HttpResponse:
    version = visible_version(request, pk)
    mine = [run for run in runs_on(version.dataset) if run.owner_id == request.user.pk]
    page = Paginator(mine, FINDINGS_PER_PAGE).get_page(request.GET.get("page"))
    return render_tab(request, version, "runs", page=page)


@require_POST
def dataset_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Check the file once more, such as after a worker was short of memory."""
    version = own_version(request, pk)
    if version.status in {DatasetVersion.Status.INVALID, DatasetVersion.Status.NEEDS_MAPPING}:
        check_again(version)
    return redirect(version.dataset)


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
