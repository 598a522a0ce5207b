"""Several datasets made into one, with weights."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import NamedTuple, cast, get_args

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.selectors import newest_ready_versions
from datasets_app.services import join_datasets
from maxaillm.dev.finetune.data.recipes.mix import MAX_TIMES
from maxaillm.dev.finetune.data.rows.splits import Split
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of

PER_PAGE = 25
ID_DIGITS = 15


class Choice(NamedTuple):
    """A dataset on the page, and what is typed beside it."""

    version: DatasetVersion
    times: str
    split: Split | None

    @classmethod
    def of(cls, data: QueryDict, version: DatasetVersion) -> Choice:
        chosen = data.get(f"split-{version.dataset_id}")
        split = next((split for split in get_args(Split) if split == chosen), None)
        return cls(version, data.get(f"times-{version.dataset_id}", "").strip(), split)


@require_http_methods(["GET", "HEAD", "POST"])
def dataset_join(request: HttpRequest) -> HttpResponse:
    """`times-<dataset>` and `split-<dataset>` for each that is to be part; POST joins them.

    GET searches by `q` and leafs by `page`; what is chosen comes along in the address.
    """
    data = request.POST if request.method == "POST" else request.GET
    on_offer = newest_ready_versions(request.user)
    chosen = [Choice.of(data, version) for version in on_offer.filter(dataset__in=named(data))]
    problem: FineTuneError | None = None
    if request.method == "POST":
        try:
            return redirect(joined(request, chosen).dataset)
        except FineTuneError as error:
            problem = error
    words = data.get("q", "").strip()[:200]
    others = on_offer.exclude(pk__in=[each.version.pk for each in chosen])
    found = others.filter(dataset__name__icontains=words) if words else others
    page = Paginator(found, PER_PAGE).get_page(data.get("page"))
    visible = Dataset.objects.visible_to(request.user)
    context = {
        "choices": [*chosen, *(Choice.of(data, version) for version in page)],
        "page": page,
        "words": words,
        "is_searched": bool(words) or page.paginator.num_pages > 1,
        "unready": visible.exclude(versions__status=DatasetVersion.Status.READY).count(),
        "splits": get_args(Split),
        "problem": problem,
        "name": data.get("name", ""),
        "is_shuffled": "asked" not in data or "shuffle" in data,
        "max_times": MAX_TIMES,
    }
    status = status_of(problem) if problem else 200
    return render(request, "datasets_app/dataset_join.html", context, status=status)


def named(data: QueryDict) -> list[int]:
    """The datasets beside which something is typed."""
    typed = [name.removeprefix("times-") for name in data if data.get(name, "").strip()]
    return [int(each) for each in typed if each.isdecimal() and len(each) <= ID_DIGITS]


def joined(request: HttpRequest, chosen: Iterable[Choice]) -> DatasetVersion:
    times = {each.version: times_of(each) for each in chosen}
    taken = {version: number for version, number in times.items() if number}
    if not taken:
        raise FineTuneError("No dataset is chosen.", "Say how often each one's rows are taken.")
    return join_datasets(
        owner=cast(User, request.user),
        name=request.POST.get("name", "").strip() or "Joined",
        times=taken,
        splits={each.version: each.split for each in chosen if each.split},
        shuffle="shuffle" in request.POST,
    )


def times_of(choice: Choice) -> float:
    """How often the rows are taken; raises FineTuneError for what is no number."""
    try:
        number = float(choice.times.replace(",", "."))
    except ValueError:
        number = -1.0
    if not isfinite(number) or not 0 <= number <= MAX_TIMES:
        raise FineTuneError(
            f"{choice.version.dataset.name}: {choice.times!r:.40} is no number from 0 to "
            f"{MAX_TIMES}.",
            "1 takes each row once, 0.5 half of them, 2 each row twice.",
        )
    return number
