"""The page of a run, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from jobs import selectors
from jobs.models import LanguageModel, Run, Status
from jobs.queue_page.later import others_to_wait_for, place_of
from jobs.run_page.advice import advice_panel
from jobs.run_page.charts import charts_of
from jobs.run_page.config_rows import config_rows
from jobs.run_page.log import tail_of
from jobs.run_page.next_steps import next_panel
from jobs.run_page.states import actions_for
from jobs.run_page.status import status_panel
from jobs.run_page.verdict import verdict_panel
from jobs.services import deletion, labels
from jobs.services import runs as services
from jobs.services.lifecycle import later
from jobs.services.lifecycle import retry as lifecycle_retry
from jobs.training.workers import devices_up, workers_up
from jobs.views.request import Request
from maxaillm.dev.finetune.run.events.kinds import TrackedEvent, WarningEvent
from maxft_site.web.formatting import typed_number


def visible_run(request: Request, pk: int) -> Run:
    return get_object_or_404(selectors.runs_within_reach_of(request.user), pk=pk)


@require_GET
def run(request: Request, pk: int) -> HttpResponse:
    shown = visible_run(request, pk)
    charts = charts_of(shown)
    context: dict[str, Any] = {
        "run": shown,
        "charts": charts,
        "has_points": any(chart.has_points for chart in charts),
        "tail": tail_of(shown),
    }
    for part in PARTS.values():
        context |= part(shown)
    return render(request, "jobs/run.html", context)


def header_part(run: Run) -> dict[str, Any]:
    tracked = {payload.tracker: payload for _, payload in run.events.typed(TrackedEvent)}
    return {"actions": actions_for(run), "tracked": tracked.values()}


def next_part(run: Run) -> dict[str, Any]:
    return {"next": next_panel(run)}


def status_part(run: Run) -> dict[str, Any]:
    place = place_of(run, devices_up(workers_up())) if run.status == Status.QUEUED else None
    others = others_to_wait_for(run) if place and place.held else []
    return {"panel": status_panel(run), "place": place, "others": others}


def results_part(run: Run) -> dict[str, Any]:
    checkpoints = selectors.checkpoints_of(run)
    rows = checkpoints.rows
    return {
        "samples": selectors.samples_of(run),
        "checkpoints": checkpoints,
        "has_model": LanguageModel.objects.filter(run=run, deleted=None).exists(),
        "measured": list(dict.fromkeys(name for row in rows for name in row.scores)),
        "best_step": next((row.step for row in rows if row.is_best), None),
    }


def history_part(run: Run) -> dict[str, Any]:
    return {
        "config_rows": config_rows(run.parsed_config),
        "transitions": run.transitions.order_by("-pk"),
        "environment": selectors.environment_of(run),
        "warnings": [payload for _, payload in run.events.typed(WarningEvent)],
    }


def verdict_part(run: Run) -> dict[str, Any]:
    return {"end": verdict_panel(run)}


def advice_part(run: Run) -> dict[str, Any]:
    return {"advice": advice_panel(run)}


PARTS: dict[str, Callable[[Run], dict[str, Any]]] = {
    "header": header_part,
    "verdict": verdict_part,
    "next": next_part,
    "advice": advice_part,
    "status": status_part,
    "results": results_part,
    "history": history_part,
}
"""Parts of a run page that htmx fetches again when something changed."""


@require_GET
def run_part(request: Request, pk: int, part: str) -> HttpResponse:
    if part not in PARTS:
        raise Http404
    shown = visible_run(request, pk)
    return render(request, f"jobs/_run_{part}.html", {"run": shown, **PARTS[part](shown)})


@require_POST
def run_act(request: Request, pk: int, verb: str) -> HttpResponse:
    """Do one of ACTIONS; an illegal one ends in the middleware's sentence."""
    done = ACTS[verb](visible_run(request, pk), request)
    return redirect(done)


def cancel(run: Run, request: Request) -> Any:
    services.cancel_run(run=run, by=request.user, save=False)
    return run


def save(run: Run, request: Request) -> Any:
    services.cancel_run(run=run, by=request.user, save=True)
    return run


def pause(run: Run, request: Request) -> Any:
    services.pause_run(run=run, by=request.user)
    return run


def resume(run: Run, request: Request) -> Any:
    services.resume_run(run=run, by=request.user)
    return run


def describe(run: Run, request: Request) -> Any:
    post = request.POST
    labels.describe_run(
        run=run,
        name=post.get("name"),
        notes=post.get("notes"),
        tags=post.get("tags", "").split(","),
    )
    messages.success(request, f"Saved: {run}.")
    return run


def retry(run: Run, request: Request) -> Any:
    """In the way that the form names, else in that which fits the cause."""
    way = request.POST.get("way") or None
    if way is not None and way not in lifecycle_retry.WAYS:
        raise Http404
    again = lifecycle_retry.retry_run(run=run, by=request.user, way=way)
    goes_on = f" from step {again.start_step:,}" if again.start_step else ""
    messages.success(request, f"Run {again.pk} tries again what run {run.pk} was to do{goes_on}.")
    return again


def wait(run: Run, request: Request) -> Any:
    """What a waiting run starts from: `for` another run, `base` its base model, `anyway` what the
    run that it waits for has left; `now`: whatever time it was to wait for."""
    post, user = request.POST, request.user
    if post.get("to") == "anyway":
        later.start_anyway(run=run, by=user)
    elif post.get("to") == "base":
        later.wait_for(run=run, before=None, by=user)
    elif post.get("to") == "now":
        later.start_when(run=run, start_at=None, by=user)
    else:
        others = Run.objects.visible_to(run.owner)
        before = others.filter(pk=typed_number(post.get("run", "")) or 0).first()
        if before is None:
            raise later.WaitError("That run is not there.", "Choose one of the list.")
        later.wait_for(run=run, before=before, by=user)
    return run


def delete(run: Run, request: Request) -> Any:
    """Leads to the list, which offers to undo it."""
    deletion.delete_run(run=run, by=request.user)
    return f"{reverse('jobs:runs')}?deleted={run.pk}"


ACTS: dict[str, Callable[[Run, Request], Any]] = {
    "cancel": cancel,
    "save": save,
    "pause": pause,
    "resume": resume,
    "retry": retry,
    "wait": wait,
    "describe": describe,
    "delete": delete,
}
