"""What runs and models add to the frame of every page: counts, running work, search."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User

from jobs import selectors
from jobs.models import Deployment, LanguageModel, Run, Status
from jobs.run_page.states import look_of
from maxft_site.web.context import RunningWork, ShellPart
from maxft_site.web.search import Hit


def shell_part(user: User) -> ShellPart:
    runs = Run.objects.visible_to(user)
    counts = {
        "runs": runs.count(),
        "models": LanguageModel.objects.visible_to(user).count(),
        "deployments": Deployment.objects.visible_to(user).count(),
        "queue": runs.filter(status=Status.QUEUED).count(),
    }
    running = [
        RunningWork(f"Run {run.pk}", run.progress, run.get_absolute_url())
        for run in runs.active().order_by("pk")
    ]
    return ShellPart(counts, running)


def find_runs(user: User, words: str, limit: int) -> Sequence[Hit]:
    found = selectors.runs_of(user).filter(name__icontains=words)[:limit]
    return [
        Hit(f"Run {run.pk} · {run.name}", look_of(run).word, run.get_absolute_url())
        for run in found
    ]


def find_deployments(user: User, words: str, limit: int) -> Sequence[Hit]:
    found = Deployment.objects.visible_to(user).filter(name__icontains=words)[:limit]
    return [Hit(one.name, one.get_state_display(), one.get_absolute_url()) for one in found]


def find_models(user: User, words: str, limit: int) -> Sequence[Hit]:
    found = LanguageModel.objects.visible_to(user).filter(name__icontains=words)
    return [
        Hit(model.name, model.get_kind_display(), model.get_absolute_url())
        for model in found.order_by("-pk")[:limit]
    ]
