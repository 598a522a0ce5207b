"""The first page: three steps to a model of one's own, what runs, this machine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.selectors import ready_versions
from jobs import selectors
from jobs.models import LanguageModel, Status
from jobs.run_form.machine import machine
from jobs.run_form.preview import preview_run
from jobs.services.resolve import resolve
from jobs.services.runs import create_run
from jobs.training.workers import workers_up
from jobs.views.request import Request
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.methods import methods
from maxaillm.starter import SAMPLE_NAME, SAMPLE_RECIPE

ENDED_SHOWN = 8
SAME_VISIT = timedelta(minutes=30)


@require_GET
def home(request: Request) -> HttpResponse:
    runs = selectors.runs_of(request.user)
    since = last_visit(request)
    ended = runs.filter(ended__isnull=False)
    fresh = ended.filter(ended__gte=since)[:ENDED_SHOWN] if since else []
    context = {
        "steps": steps(request),
        "running": runs.active(),
        "waiting": runs.filter(status=Status.QUEUED).count(),
        "is_news": bool(fresh),
        "ended": fresh or ended[: ENDED_SHOWN // 2],
        "machine": machine(),
        "workers": workers_up(),
    }
    if request.htmx:
        return render(request, "jobs/_home_now.html", context)
    return render(request, "jobs/home.html", context)


def last_visit(request: Request) -> datetime | None:
    """When the visit before this one ended; looking again and again is one visit."""
    now = timezone.now()
    session = request.session
    seen = parsed(session.get("seen"))
    if seen and now - seen > SAME_VISIT:
        session["last_visit"] = seen.isoformat()
    if seen is None or now - seen > SAME_VISIT / 30:
        session["seen"] = now.isoformat()
    return parsed(session.get("last_visit"))


def parsed(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None


def steps(request: Request) -> dict[str, Any]:
    """How far the user is: a dataset, a run, a chat."""
    ready = ready_versions(request.user)
    runs = selectors.runs_of(request.user)
    tuned = LanguageModel.objects.visible_to(request.user).exclude(kind="base")
    sample = ready.filter(dataset__in=sample_datasets()).first()
    return {
        "sample": sample,
        "sample_seconds": seconds_of(sample, request.user) if sample else None,
        "method": methods[SAMPLE_RECIPE["tuning"]["name"]].label,
        "own": ready.filter(dataset__owner=request.user).first(),
        "run": runs.active().first() or runs.filter(status=Status.QUEUED).first(),
        "model": next(filter(is_promising, tuned.select_related("run").order_by("-pk")[:50]), None),
    }


def is_promising(model: LanguageModel) -> bool:
    return model.run is None or model.run.is_promising


def sample_datasets() -> Any:
    return Dataset.objects.filter(owner=None, name=SAMPLE_NAME, deleted=None)


def sample_config(version: DatasetVersion) -> RunConfig:
    """What "Train the sample" runs."""
    data = {**SAMPLE_RECIPE["data"], "dataset": version.dataset_id, "version": version.number}
    return RunConfig.parse({**SAMPLE_RECIPE, "data": data})


def seconds_of(version: DatasetVersion, user: User) -> float | None:
    """How long that will take; None where it can't be known."""
    try:
        found = preview_run(resolve(sample_config(version), user)).estimate
    except FineTuneError:
        return None  # what is wrong is said when it is started
    return found.seconds if found else None


@require_POST
def train_sample(request: Request) -> HttpResponse:
    """Start the sample's run and show it."""
    version = ready_versions(request.user).filter(dataset__in=sample_datasets()).first()
    if version is None:
        raise FineTuneError(
            "The sample dataset is not ready yet.", "It is being checked; try again in a moment."
        )
    return redirect(create_run(owner=request.user, config=sample_config(version)))
