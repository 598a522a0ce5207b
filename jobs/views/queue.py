"""The queue: what runs, what waits, who works, what failed."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from jobs import selectors
from jobs.models import Status
from jobs.training.workers import workers_up
from jobs.views.request import Request

FAILED_SHOWN = 10


@require_GET
def queue(request: Request) -> HttpResponse:
    """A superuser sees what works and waits of everybody, to stop it where it must be."""
    runs = selectors.runs_of(request.user)
    at_hand = selectors.runs_within_reach_of(request.user)
    places = selectors.queue_positions()
    waiting = at_hand.filter(status=Status.QUEUED).order_by("queued_at", "pk")
    context = {
        "running": at_hand.active(),
        "waiting": [(places.get(run.pk), run) for run in waiting],
        "paused": runs.filter(status=Status.PAUSED),
        "failed": runs.filter(status=Status.FAILED)[:FAILED_SHOWN],
        "workers": workers_up(),
        "others": len(places) - len(waiting),
    }
    template = "jobs/_queue.html" if request.htmx else "jobs/queue.html"
    return render(request, template, context)
