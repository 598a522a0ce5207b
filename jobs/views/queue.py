"""The queue: what runs, what waits and why, who works, what failed; and its order."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from jobs import selectors
from jobs.models import QueuePause, Run, Status
from jobs.models.run import RunQuerySet
from jobs.queue_page import queue_state, rows_of
from jobs.queue_page.ahead import ahead
from jobs.queue_page.later import later_rows
from jobs.queue_page.timeline import evenness, timeline
from jobs.services.queue import claims, pauses
from jobs.services.queue import order as queue_order
from jobs.services.queue.forecast import shares
from jobs.services.queue.kinds import KINDS
from jobs.services.queue.pauses import in_words
from jobs.training.workers import devices_up, workers_up
from jobs.views.request import Request
from maxft_site.web.formatting import typed_number

FAILED_SHOWN = 10
PER_PAGE = 50
STEPS = {"up": -1, "down": 1}


@require_GET
def queue(request: Request) -> HttpResponse:
    """A superuser sees what works and waits of everybody, to stop it where it must be."""
    runs = selectors.runs_of(request.user)
    workers = workers_up()
    state = queue_state(request.user, devices_up(workers))
    page = Paginator(state.waiting, PER_PAGE).get_page(request.GET.get("page"))
    everybody, name = shares(), request.user.get_username()
    context = {
        "state": state,
        "page": page,
        "rows": rows_of(list(page.object_list), request.user, state),
        "paused": runs.filter(status=Status.PAUSED),
        "failed": runs.filter(status=Status.FAILED)[:FAILED_SHOWN],
        "workers": workers,
        "shares": [s for s in everybody if request.user.is_superuser or s.user == name],
        "evenness": evenness(everybody),
        "later": later_rows(request.user),
        "pauses": [(pause, in_words(pause)) for pause in pauses.pauses().values()],
        "timeline": timeline(request.user),
        "ahead": ahead(state.planned, request.user),
    }
    template = "jobs/_queue.html" if request.htmx else "jobs/queue.html"
    return render(request, template, context)


@require_POST
def queue_move(request: Request) -> HttpResponse:
    """Move one of one's own runs: `to` up, down, or before the run `before` (behind all where that
    is empty). `version` says which order was seen."""
    run = run_in(request.POST, Run.objects.visible_to(request.user))
    version = request.POST.get("version", "")
    to, before = STEPS.get(request.POST.get("to", "")), request.POST.get("before", "")
    try:
        if to is not None:
            queue_order.step(run=run, by=to, version=version)
        else:
            queue_order.move_before(run=run, before=typed_number(before), version=version)
    except queue_order.StaleOrderError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return redirect("jobs:queue")


@require_POST
def queue_first(request: Request) -> HttpResponse:
    """Let a run go before everybody's, or wait for its turn again: an owner of the site may."""
    if not request.user.is_superuser:
        raise PermissionDenied
    run = run_in(request.POST, Run.objects.within_reach_of(request.user))
    is_first = request.POST.get("first") == "1"
    queue_order.put_first(run=run, by=request.user, is_first=is_first)
    words = "goes before all others" if is_first else "waits for its turn again"
    messages.success(request, f"Run {run.pk} {words}.")
    return redirect("jobs:queue")


@require_POST
def queue_pause(request: Request) -> HttpResponse:
    """Have a kind of device, or all, take nothing new, or go on: an owner of the site may."""
    kind, goes_on = request.POST.get("kind", ""), request.POST.get("goes_on") == "1"
    if kind not in {QueuePause.EVERYTHING, *KINDS}:
        raise Http404
    if goes_on:
        claims.open_again(kind=kind, by=request.user)
    else:
        pauses.begin(kind=kind, by=request.user, why=request.POST.get("why", ""))
    return redirect("jobs:queue")


def run_in(form: QueryDict, runs: RunQuerySet) -> Run:
    return get_object_or_404(runs.select_related("owner"), pk=typed_number(form.get("run", "")))
