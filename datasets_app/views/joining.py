"""Several data sets made into one, with weights."""

from __future__ import annotations

from math import isfinite
from typing import cast, get_args

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from datasets_app.models import DatasetVersion
from datasets_app.selectors import newest_versions
from datasets_app.services import join_datasets
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.mix import MAX_TIMES
from maxaillm.dev.finetune.splits import Split
from maxft_site.web.errors import status_of

SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
def dataset_join(request: HttpRequest) -> HttpResponse:
    """POST takes `times-<data set>`, and `split-<data set>`, for each that is to be part."""
    versions = list(
        newest_versions(request.user).filter(status=DatasetVersion.Status.READY)[:SHOWN]
    )
    problem: FineTuneError | None = None
    if request.method == "POST":
        try:
            times = chosen_times(request.POST, versions)
            new = join_datasets(
                owner=cast(User, request.user),
                name=request.POST.get("name", "").strip() or "Joined",
                times=times,
                splits={each: split for each in times if (split := split_for(request.POST, each))},
                shuffle="shuffle" in request.POST,
            )
            return redirect(new.dataset)
        except FineTuneError as error:
            problem = error
    context = {
        "choices": [
            (each, request.POST.get(field_of(each), ""), split_for(request.POST, each))
            for each in versions
        ],
        "splits": get_args(Split),
        "problem": problem,
        "name": request.POST.get("name", ""),
        "is_shuffled": request.method != "POST" or "shuffle" in request.POST,
        "max_times": MAX_TIMES,
    }
    status = status_of(problem) if problem else 200
    return render(request, "datasets_app/dataset_join.html", context, status=status)


def field_of(version: DatasetVersion) -> str:
    return f"times-{version.dataset_id}"


def split_for(data: QueryDict, version: DatasetVersion) -> Split | None:
    """Where its rows are to go, if that was said."""
    chosen = data.get(f"split-{version.dataset_id}")
    return next((split for split in get_args(Split) if split == chosen), None)


def chosen_times(data: QueryDict, versions: list[DatasetVersion]) -> dict[DatasetVersion, float]:
    """How often the rows of each data set are taken; raises FineTuneError for what is no number."""
    times = {}
    for version in versions:
        typed = data.get(field_of(version), "").strip()
        if not typed:
            continue
        try:
            number = float(typed.replace(",", "."))
        except ValueError:
            number = -1.0
        if not isfinite(number) or not 0 <= number <= MAX_TIMES:
            raise FineTuneError(
                f"{version.dataset.name}: {typed!r:.40} is no number from 0 to {MAX_TIMES}.",
                "1 takes each row once, 0.5 half of them, 2 each row twice.",
            )
        if number:
            times[version] = number
    if not times:
        raise FineTuneError("No dataset is chosen.", "Say how often each one's rows are taken.")
    return times
