"""What goes on from a run: the form that extends it, and its checkpoints as models."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from jobs.run_page.next_steps import asked_for, extend_form, next_panel
from jobs.services.lifecycle.extension import extend_run
from jobs.services.registry.checkpoints import keep_checkpoint
from jobs.views.request import Request
from jobs.views.runs import visible_run
from maxaillm.dev.finetune.errors import FineTuneError


@require_POST
def checkpoint_chat(request: Request, pk: int, step: int) -> HttpResponse:
    """Keep a checkpoint as a model, and chat with it beside the run's own."""
    run = visible_run(request, pk)
    try:
        kept = keep_checkpoint(run=run, step=step, by=request.user)
    except FineTuneError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect(run)
    return redirect(f"{reverse('jobs:playground')}?model={kept.pk}&beside={run.model.pk}")


@require_http_methods(["GET", "POST"])
def run_extend(request: Request, pk: int) -> HttpResponse:
    """The form with what it would do; sent, it does that."""
    run = visible_run(request, pk)
    given = request.POST or request.GET
    amount, unit = given.get("amount", ""), given.get("unit", "")
    if request.method == "POST":
        try:
            longer = extend_run(run=run, by=request.user, asked=asked_for(run, amount, unit))
        except FineTuneError as error:
            messages.error(request, f"{error.message} {error.hint}")
            return redirect(run)
        messages.success(
            request, f"Run {longer.pk} goes on from step {longer.start_step:,} of run {run.pk}."
        )
        return redirect(longer)
    panel = next_panel(run)
    if panel is None or panel.extend is None:
        return redirect(run)
    form = extend_form(run, amount, unit)
    return render(request, "jobs/_run_extend.html", {"run": run, "form": form})
