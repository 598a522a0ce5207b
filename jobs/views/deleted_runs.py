"""Runs that were deleted not long ago, to be taken back or deleted for good."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from jobs.models import Run
from jobs.services.deletion import purge_run, restore_run
from jobs.views.request import Request
from maxaillm.dev.finetune.run.checkpoints import size_bytes

PER_PAGE = 25


def deleted_run(request: Request, pk: int) -> Run:
    return get_object_or_404(Run.objects.deleted_by(request.user), pk=pk)


@require_GET
def deleted_runs(request: Request) -> HttpResponse:
    deleted = Run.objects.deleted_by(request.user).order_by("-deleted", "-pk")
    page = Paginator(deleted, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(run, size_bytes(run.root)) for run in page],
        "unit": "runs",
        "lede": "They can be taken back for seven days, with their models. Then their files are "
        "removed.",
        "listed": "jobs:runs",
        "restore": "jobs:run-restore",
        "purge": "jobs:run-purge",
    }
    return render(request, "web/deleted.html", context)


@require_POST
def run_restore(request: Request, pk: int) -> HttpResponse:
    """Undo a deletion while the files are still there."""
    run = deleted_run(request, pk)
    restore_run(run=run)
    return redirect(run)


@require_POST
def run_purge(request: Request, pk: int) -> HttpResponse:
    """Remove a deleted run before its seven days are over."""
    run = deleted_run(request, pk)
    purge_run(run=run)
    messages.success(request, f"{run} is gone for good.")
    return redirect("jobs:deleted-runs")
