"""The list of runs: searched, sorted, in pages, and what is done with several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from jobs import selectors
from jobs.models import Run, RunDraft
from jobs.models.run import RunQuerySet
from jobs.run_search.language import QueryError
from jobs.run_search.listing import RunFilter
from jobs.services import bulk
from jobs.services.queue import forecast
from jobs.views.request import Request
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.methods import methods
from maxft_site.web.formatting import typed_number

PER_PAGE = 20
MOST_SAID = 5
"""Refusals that a notice names one by one."""
HEADS = (
    ("run", "Run"),
    ("owner", "Owner"),
    ("status", "State"),
    ("model", "Model and method"),
    ("loss", "Loss"),
    ("eval_loss", "Validation loss"),
    ("time", "Time"),
)


class Head(NamedTuple):
    """The head of a column; `url` puts the list into its order, or turns that around."""

    name: str
    word: str
    url: str
    order: str
    """ascending, descending, or empty."""

    @property
    def icon(self) -> str:
        return {"ascending": "up", "descending": "down"}.get(self.order, "")


@require_GET
def runs(request: Request) -> HttpResponse:
    """All runs of the user; htmx asks for the rows alone, again and again."""
    get = request.GET
    chosen = filter_in(get)
    found, mistake = Run.objects.none(), None
    try:
        found = chosen.runs(request.user)
    except QueryError as error:
        mistake = error
    page = Paginator(found.prefetch_related("tags"), PER_PAGE).get_page(get.get("page"))
    status = 422 if mistake else 200
    columns = [head for head in HEADS if request.user.is_superuser or head[0] != "owner"]
    shown = heads(get, chosen.sort, columns)
    context = rows_context(page, request) | {"mistake": mistake, "heads": shown}
    if request.htmx:
        return render(request, "jobs/_run_rows.html", context, status=status)
    return render(request, "jobs/runs.html", context | choices(request, chosen), status=status)


def filter_in(get: QueryDict) -> RunFilter:
    """What an address narrows the list to."""
    return RunFilter(
        state=get.get("state", ""),
        dataset=get.get("dataset", ""),
        method=get.get("method", ""),
        query=get.get("query", ""),
        sort=get.get("sort", "") or "-run",
    )


def rows_context(page: Page[Run], request: Request) -> dict[str, Any]:
    return {
        "page": page,
        "query": query_without_page(request.GET),
        "sparks": selectors.sparks(page.object_list),
        "places": forecast.places(),
        "shows_owner": request.user.is_superuser,
    }


def choices(request: Request, chosen: RunFilter) -> dict[str, Any]:
    """What the list can be narrowed to, and the run that was just deleted."""
    counts = selectors.counts_by_state(request.user)
    states = [("", "All", counts["all"])]
    states += [(name, word, counts[name]) for name, (word, _) in selectors.STATES.items()]
    deleted = typed_number(request.GET.get("deleted", ""))
    return {
        "chosen": chosen,
        "states": [
            (name, word, number, link(request.GET, state=name)) for name, word, number in states
        ],
        "counts": counts,
        "datasets": selectors.datasets_of_runs(request.user),
        "methods": [(name, method.label) for name, method in methods.items()],
        "drafts": RunDraft.objects.visible_to(request.user),
        "deleted": Run.objects.deleted_by(request.user).filter(pk=deleted or 0).first(),
    }


def heads(get: QueryDict, sort: str, columns: Sequence[tuple[str, str]] = HEADS) -> list[Head]:
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")
    return [
        Head(
            column,
            word,
            link(get, sort=column if column == name and is_descending else f"-{column}"),
            ("descending" if is_descending else "ascending") if column == name else "",
        )
        for column, word in columns
    ]


def link(get: QueryDict, **changes: str) -> str:
    kept = get.copy()
    for name in ("page", "deleted"):
        kept.pop(name, None)
    for name, value in changes.items():
        kept[name] = value
    return f"?{kept.urlencode()}"


def query_without_page(get: QueryDict) -> str:
    return link(get).removeprefix("?")


@require_POST
def selected(request: Request) -> HttpResponse:
    """Do something with the runs that are checked. Deleting asks on a page of its own."""
    post = request.POST
    verb, back = post.get("verb", ""), f"{reverse('jobs:runs')}?{post.get('back', '')}"
    asked = chosen_in(request)
    if not asked:
        messages.warning(request, "No run is chosen. Check the box of one or more.")
        return redirect(back)
    if verb == "compare":
        return redirect(f"{reverse('jobs:compare')}?{urlencode({'run': asked}, doseq=True)}")
    reached = selectors.runs_within_reach_of(request.user).filter(pk__in=asked)
    if verb == "delete" and not post.get("sure"):
        context = {"runs": reached, "asked": asked, "back": post.get("back", "")}
        return render(request, "jobs/runs_delete.html", context)
    tell(request, *done_with(verb, reached, asked, request))
    return redirect(back)


def chosen_in(request: Request) -> list[int]:
    """The runs whose boxes are checked, or with `all` those that the list's address matches."""
    post = request.POST
    if not post.get("all"):
        numbers = map(typed_number, post.getlist("run")[: bulk.MOST_RUNS])
        return [number for number in numbers if number]
    found = filter_in(QueryDict(post.get("back", ""))).runs(request.user)
    asked = list(found.values_list("pk", flat=True)[: bulk.MOST_RUNS])
    if (rest := found.count() - len(asked)) > 0:
        messages.warning(request, f"{rest:,} more runs match: {bulk.MOST_RUNS:,} at once.")
    return asked


def done_with(
    verb: str, runs: RunQuerySet, asked: list[int], request: Request
) -> tuple[str, bulk.Outcome]:
    """What was done, in a word, and how far. Raises FineTuneError for what can't be done at all."""
    if verb == "stop":
        return "stopped", bulk.stop_runs(runs=runs, asked=asked, by=request.user)
    if verb == "delete":
        return "deleted", bulk.delete_runs(runs=runs, asked=asked, by=request.user)
    if verb == "tag":
        tag = request.POST.get("tag", "")
        return "tagged", bulk.tag_runs(runs=runs, asked=asked, tag=tag)
    raise FineTuneError(f"“{verb[:40]}” can't be done with runs.", "Compare, stop, tag or delete.")


def tell(request: Request, word: str, outcome: bulk.Outcome) -> None:
    """Say what was done, and for each run that it was not done for, why."""
    if outcome.done:
        many = len(outcome.done)
        text = f"{many} run{'s' if many > 1 else ''} {word}."
        if word == "deleted":
            text += " They can be taken back for seven days under Deleted."
        messages.success(request, text)
    for refusal in outcome.refused[:MOST_SAID]:
        messages.warning(request, f"{refusal.error.message} {refusal.error.hint}")
    if (more := len(outcome.refused) - MOST_SAID) > 0:
        messages.warning(request, f"{more} more could not be {word} either.")
